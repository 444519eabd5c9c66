"""What of nnU-Net cannot be imported is refused in one sentence that names it, and leaves nothing behind."""

import pytest
import torch

from deepseg import api
from deepseg.errors import ModelError
from nnunet_folders import DATASET, PLANS, changed, write_folder

pytest.importorskip("nnunetv2", reason="needs nnU-Net: Testing/requirements-nnunet.txt")

FULLRES = "configurations/3d_fullres"
ARCHITECTURE = f"{FULLRES}/architecture/arch_kwargs"


@pytest.fixture
def a_folder(tmp_path):
    return write_folder(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")


def imported(folder, tmp_path, **choices):
    return api.import_nnunet(folder, tmp_path / "model", **choices)


REFUSED = {
    "a cascade": ({}, {}, {"init_args/configuration": "3d_cascade_fullres"}, "'3d_cascade_fullres' is the second stage of a cascade.*'3d_lowres'"),
    "an unknown trainer": ({}, {}, {"trainer_name": "nnUNetTrainerSwin"}, "trained by 'nnUNetTrainerSwin'"),
    "an unknown configuration": ({}, {}, {"init_args/configuration": "3d_huge"}, "no configuration '3d_huge'"),
    "a circle": ({f"{FULLRES}/inherits_from": "3d_fullres"}, {}, {}, "no configuration '3d_fullres', which"),
    "a preprocessor": ({f"{FULLRES}/preprocessor_name": "MyOwn"}, {}, {}, "preprocessor 'MyOwn'"),
    "a label manager": ({"label_manager": "MyOwn"}, {}, {}, "label manager 'MyOwn'"),
    "a reader": ({"image_reader_writer": "NaturalImage2DIO"}, {}, {}, "'NaturalImage2DIO'; DeepSeg imports models that read volumes"),
    "a permutation": ({"transpose_forward": [0, 1, 1]}, {}, {}, "transpose_forward"),
    "a network": (
        {f"{FULLRES}/architecture/network_class_name": "dynamic_network_architectures.architectures.primus.Primus"},
        {},
        {},
        r"primus\.Primus'",
    ),
    "a network of another package": ({f"{FULLRES}/architecture/network_class_name": "mine.PlainConvUNet"}, {}, {}, r"'mine\.PlainConvUNet'"),
    "a network of the first releases": ({f"{FULLRES}/architecture": ..., f"{FULLRES}/UNet_class_name": "MyNet"}, {}, {}, "'MyNet'"),
    "a layer": ({f"{ARCHITECTURE}/norm_op": "torch.nn.modules.normalization.GroupNorm"}, {}, {}, r"GroupNorm' as the network's norm_op"),
    "a function as a layer": ({f"{ARCHITECTURE}/nonlin": "os.system"}, {}, {}, r"'os\.system' as the network's nonlin"),
    "a setting": ({f"{ARCHITECTURE}/block": "dynamic_network_architectures.building_blocks.residual.BottleneckD"}, {}, {}, "sets 'block'"),
    "a scheme": ({f"{FULLRES}/normalization_schemes": ["MyNorm"]}, {}, {}, "'MyNorm', which is not one of nnU-Net's own"),
    "no figures for CT": (
        {f"{FULLRES}/normalization_schemes": ["CTNormalization"], "foreground_intensity_properties_per_channel": {}},
        *({}, {}, "lacks the intensities"),
    ),
    "channels": ({}, {"channel_names": {"0": "T1", "1": "T2"}}, {}, "the numbers must agree"),
    "resampling": ({f"{FULLRES}/resampling_fn_data": "resample_torch_fornnunet"}, {}, {}, "'resample_torch_fornnunet'"),
    "resampling one way": ({f"{FULLRES}/resampling_fn_probabilities": "no_resampling_hack"}, {}, {}, "'no_resampling_hack'"),
    "an order": ({f"{FULLRES}/resampling_fn_probabilities_kwargs/order": 3}, {}, {}, "order=3"),
    "a forced axis": ({f"{FULLRES}/resampling_fn_data_kwargs/force_separate_z": True}, {}, {}, "force_separate_z=True"),
    "different axes": ({f"{FULLRES}/resampling_fn_data_kwargs/force_separate_z": False}, {}, {}, "the same for both ways"),
    "different orders": ({f"{FULLRES}/resampling_fn_data_kwargs/order_z": 1}, {}, {}, "order_z=0.*the same for both ways"),
    "a threshold": ({f"{FULLRES}/resampling_fn_data_kwargs/separate_z_anisotropy_threshold": 5}, {}, {}, "threshold=5"),
    "an argument": ({f"{FULLRES}/resampling_fn_data_kwargs/mode": "wild"}, {}, {}, "alone"),
    "a patch": ({f"{FULLRES}/patch_size": [8]}, {}, {}, "voxels of patch"),
    "gaps": ({}, {"labels": {"background": 0, "Front": 1, "Back": 3}}, {}, "without gaps or doubles.*Back 3"),
    "doubles": ({}, {"labels": {"background": 0, "Front": 1, "Back": 1}}, {}, "without gaps or doubles"),
    "no background": ({}, {"labels": {"Front": 1, "Back": 2}}, {}, "'background' 0"),
    "old labels": ({}, {"labels": {"0": "background", "1": "Front"}}, {}, "'background' 0"),
    "background alone": ({}, {"labels": {"background": 0, "ignore": 1}}, {}, "nothing to segment"),
    "a label that is no number": ({}, {"labels": {"background": 0, "Front": "1"}}, {}, "'Front' the value '1'"),
    "regions without an order": ({}, {"labels": {"background": 0, "All": [1, 2], "Back": 2}}, {}, "regions_class_order"),
    "a value of no region": ({}, {"labels": {"background": 0, "All": [1, 2], "Back": 2}, "regions_class_order": [1, 7]}, {}, "paints the value 7"),
    "another number of labels": ({}, {"labels": {"background": 0, "Front": 1}}, {}, r"does not fit plans\.json beside it"),
    "another network": ({f"{ARCHITECTURE}/features_per_stage": [4, 8]}, {}, {}, r"does not fit plans\.json beside it"),
    "no weights": ({}, {}, {"network_weights": ...}, "is not a checkpoint of nnU-Net v2"),
    "a weight that is no tensor": ({}, {}, {"network_weights": {"encoder": 1}}, "weights are not all tensors"),
    "a further weight": ({}, {}, {"network_weights/encoder.attention.weight": torch.ones(1)}, r"the weight 'encoder\.attention\.weight'"),
    "a twin that is none": ({}, {}, {"network_weights/encoder.stages.0.0.convs.0.all_modules.0.bias": torch.ones(4)}, "all_modules.0.bias"),
    "a mirror axis": ({}, {}, {"inference_allowed_mirroring_axes": (0, 3)}, "mirror axes"),
}


@pytest.mark.parametrize(("plans", "dataset", "checkpoint", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_imported_is_refused_by_name(plans, dataset, checkpoint, reason, tmp_path):
    folder = write_folder(tmp_path / "folder", changed(PLANS, plans), changed(DATASET, dataset), **checkpoint)
    with pytest.raises(ModelError, match=reason) as caught:
        imported(folder, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_folds_of_different_trainings_are_refused(a_folder, tmp_path):
    other = write_folder(tmp_path / "other", folds=("1",), trainer_name="nnUNetTrainerDA5")
    (other / "fold_1").rename(a_folder / "fold_1")
    with pytest.raises(ModelError, match="are of different trainings"):
        imported(a_folder, tmp_path)


def test_a_folder_that_is_none_is_refused_with_a_hint(a_folder, tmp_path):
    with pytest.raises(ModelError, match="it holds nnUNetTrainer__nnUNetPlans__3d_fullres: name one of them"):
        imported(a_folder.parent, tmp_path)
    with pytest.raises(ModelError, match=r"is not a results folder of nnU-Net v2, for it lacks plans\.json; name the folder"):
        imported(tmp_path / "nowhere", tmp_path)
    (a_folder / "dataset.json").unlink()
    with pytest.raises(ModelError, match=r"for it lacks dataset\.json"):
        imported(a_folder, tmp_path)
    (a_folder / "plans.pkl").touch()
    with pytest.raises(ModelError, match="made by nnU-Net v1"):
        imported(a_folder, tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"labels": '], ids=str)
def test_a_damaged_file_is_named(text, a_folder, tmp_path):
    (a_folder / "dataset.json").write_text(text)
    with pytest.raises(ModelError, match=r"dataset\.json"):
        imported(a_folder, tmp_path)


def test_a_training_that_has_not_ended_is_named(a_folder, tmp_path):
    (a_folder / "fold_0/checkpoint_final.pth").rename(a_folder / "fold_0/checkpoint_best.pth")
    with pytest.raises(ModelError, match=r"has no fold with a checkpoint_final\.pth"):
        imported(a_folder, tmp_path)
    assert "checkpoint_best.pth" in imported(a_folder, tmp_path, checkpoint="checkpoint_best.pth").spec.provenance["members"]
    with pytest.raises(ModelError, match="is not the name of a checkpoint"):
        api.import_nnunet(a_folder, tmp_path / "other", checkpoint="../fold_0/checkpoint_best.pth")
