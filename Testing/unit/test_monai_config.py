"""Configs of MONAI bundles: what is evaluated, what is refused, and that nothing in them is ever run."""

import sys

import pytest

from deepseg.errors import ModelError
from deepseg.importers.monai_config import BundleConfig, Component, read_config

CONFIG = {
    "root": ".",
    "options": {"fine": True, "sizes": [96, 64]},
    "channels": [16, 32],
    "pixdim": "$[1.5] * 3 if @options#fine else [3.0] * 3",
    "net": {"_target_": "UNet", "width": "@channels::1", "size": "@::width", "code": "$print('run')"},
    "broken": {"used": "$1 + 1", "unused": "$__import__('os').system('true')"},
}


def config(**parts):
    return BundleConfig({**CONFIG, **parts}, "the config")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$1 + 2 * 3 - 4 / 8", 6.5),
        ("$7 // 2 + 7 % 4 + 2 ** 5", 38),
        ("$-3", -3),
        ("$@root + '/models/' + 'model.pt'", "./models/model.pt"),
        ("$@pixdim", [1.5, 1.5, 1.5]),
        ("$@channels + [64]", [16, 32, 64]),
        ("$@channels[-1] * 2", 64),
        ("$@channels[:1]", [16]),
        ("$@options['sizes'][1]", 64),
        ("$@options::sizes::0", 96),
        ("$@options#sizes#0 > 90 and not @options#fine", False),
        ("$'a' if 1 < 2 <= 2 != 3 else 'b'", "a"),
        ("$len(@channels)", 2),
        ("$(1, 2)", [1, 2]),
        ("${'a': 1}['a']", 1),
        ("$16 in @channels", True),
        ("$None is None", True),
        ("$torch.float32", "float32"),
        ("$monai.utils.CommonKeys.PRED", "pred"),
        ("@options::fine", True),
        ("%channels", [16, 32]),
        ("mail@example", "mail@example"),
    ],
)
def test_an_expression_has_pythons_value(expression, value):
    assert config(it=expression).get("it") == value


REFUSED = [
    ("$__import__('os').system('touch {marker}')", "__import__"),
    ("$open('{marker}', 'w')", "open"),
    ("$exec('import os')", "exec"),
    ("$eval('1')", "eval"),
    ("$(lambda: 1)()", "lambda"),
    ("$[x for x in (1, 2)]", "for x in"),
    ("$().__class__.__bases__[0].__subclasses__()", "__subclasses__"),
    ("$@net.__init__.__globals__", "__globals__"),
    ("$@net.__class__", "__class__"),
    ("$torch.float32.__class__", "__class__"),
    ("$@net._config", "_config"),
    ("$getattr(@net, 'where')", "getattr"),
    ("$'{{0.__class__}}'.format(1)", "format"),
    ("$f'{{@root}}'", "f'"),
    ("$'%s' % 1", "arithmetic of str and int"),
    ("$b'bytes'", "bytes"),
    ("$1j", "1j"),
    ("$...", r"'\.\.\.'"),
    ("$(x := 1)", "x := 1"),
    ("$name", "'name'"),
    ("$torch.load", "torch.load"),
    ("$torch.load('a.pt', pickle_module=1)", "torch.load"),
    ("$torch.load(*['a.pt'])", "torch.load"),
    ("$torch.load('../../a.pt')", "torch.load"),
    ("$torch.hub.load('a', 'b')", "torch.hub.load"),
    ("$len.__self__", "__self__"),
    ("$len([1], [2])", "len"),
    ("$@channels.append(1)", "append"),
    ("$[*@channels]", r"\*@channels"),
    ("${{**@options}}", "options"),
    ("$'@root'", "inside quotes"),
    ("$1 +", "no expression"),
    ("$import os", "no expression"),
    ("$1; 2", "no expression"),
    ("$9 ** 9 ** 9", "too large"),
    ("$10 ** 10 ** 10", "too large"),
    ("$2 ** 63 * 2", "too large"),
    ("$1e308 * 10", "too large"),
    ("$'x' * 10 ** 9", "items or characters"),
    ("$[0] * 10 ** 9", "items or characters"),
    ("$[[1] * 100000] * 100000", "items or characters"),
    ("$[['x' * 1000] * 300] * 300", "items or characters"),
    ("$[[''] * 1000] * 1000", "items or characters"),
    ("$[[1] * 60000, [1] * 60000]", "items or characters"),
    ("${'a': [1] * 60000, 'b': [1] * 60000}", "items or characters"),
    ("${'a': 1}['x' * 90000]", "cannot be computed"),
    ("$torch.load('x' * 90000)", "torch.load"),
    ("$1 << 1000", "1 << 1000"),
    ("$(-8) ** 0.5", "too large|complex"),
    ("$1 / 0", "cannot be computed"),
    ("$@channels[9]", "cannot be computed"),
    ("$" + "-" * 3000 + "1", "nested|no expression"),
    ("$" + "(" * 1500 + ")" * 1500, "nested|no expression"),
    ("$" + "1+" * 3000 + "1", "characters"),
]


@pytest.mark.parametrize(("expression", "named"), REFUSED, ids=[text[:40] for text, _ in REFUSED])
def test_anything_else_is_refused_by_name_and_not_run(expression, named, tmp_path):
    marker, seen = tmp_path / "run", []

    def watch(event, arguments):
        if watching and event in ("os.system", "subprocess.Popen", "exec", "import", "open"):
            seen.append((event, arguments))

    watching = False
    sys.addaudithook(watch)  # cannot be removed; it sees nothing once the test is over
    text = expression.replace("{marker}", str(marker)).replace("{{", "{").replace("}}", "}")
    held = config(it=text)
    watching = True
    try:
        with pytest.raises(ModelError, match=named) as refusal:
            held.get("it")
    finally:
        watching = False
    assert [event for event in seen if event[0] != "open"] == []
    assert not marker.exists()
    assert "'it'" in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_only_what_is_asked_for_is_resolved(capsys):
    net = config().get("net")
    assert isinstance(net, Component)
    assert (net.target, net.argument("width"), net.argument("size"), net.argument("none", 5)) == ("UNet", 32, 32, 5)
    assert config().get("broken::used") == 2
    with pytest.raises(ModelError, match="'broken::unused'"):
        config().get("broken::unused")
    assert capsys.readouterr().out == ""


def test_imports_are_never_resolved():
    parts = config(imports=["$import os", "$__import__('os').abort()"], it="$@channels[0]")
    assert parts.get("it") == 16


def test_the_branch_that_is_not_taken_is_not_resolved():
    assert config(it="$1 if @options#fine else @broken#unused").get("it") == 1


def test_a_moved_network_is_the_network_and_its_device_stays_unresolved():
    assert config(it="$@net.to(@device)", device="$torch.device('cuda')").get("it").target == "UNet"


def test_what_is_disabled_is_left_out():
    off = {"_target_": "A", "_disabled_": True}
    parts = config(it=[off, {"_target_": "B"}, {"_target_": "C", "_disabled_": "$not @options#fine"}])
    assert [part.target for part in parts.get("it")] == ["B", "C"]


def test_classes_are_monais_by_their_package_alone():
    parts = config(it=[{"_target_": name} for name in ("UNet", "monai.networks.nets.UNet", "scripts.UNet", "os.UNet", "monai.apps.UNet")])
    assert [part.monai_name("monai.networks.nets") for part in parts.get("it")] == ["UNet", "UNet", None, None, None]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"it": "@it"}, "refers to itself"),
        ({"it": "$@other + 1", "other": "@it"}, "refers to itself"),
        ({"it": "@nothing::0"}, "nothing::0"),
        ({"it": "@channels::7"}, "channels::7"),
        ({"it": {"_target_": "$__import__('os').getcwd"}}, "takes its class from"),
        ({"it": {"_target_": "UNet", "_mode_": "callable"}}, "in the mode 'callable'"),
        ({"it": "%/etc/other.json::net"}, "another file"),
        ({"it": [f"@a{n}" for n in range(10)]} | {f"a{n}": [f"@a{n + 1}"] * 10 for n in range(10)} | {"a10": 1}, "more than 100000 parts"),
        ({"it": ["@large"] * 3, "large": "$[1] * 40000"}, "more than 100000 parts"),
        ({"it": "$" + " + ".join(["@large"] * 3), "large": "$[1] * 40000"}, "more than 100000"),
        ({"a0": 0} | {f"a{n + 1}": f"@a{n}" for n in range(5000)} | {"it": "@a5000"}, "nested too deeply"),
    ],
)
def test_configs_that_lead_nowhere_are_refused(parts, named):
    with pytest.raises(ModelError, match=named):
        config(**parts).get("it")


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "{"), ("a.json", "[" * 100_000), ("a.yaml", "a: ["), ("a.yaml", "!!python/object/apply:os.system ['true']"), ("a.json", b"\xff")],
)
def test_files_that_are_no_configs_are_refused(name, text, tmp_path):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError, match="cannot be read"):
        read_config(path)


def test_yaml_without_its_package_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("a: 1")
    assert read_config(tmp_path / "a.yaml") == {"a": 1}
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModelError, match="needs the Python package PyYAML"):
        read_config(tmp_path / "a.yaml")
