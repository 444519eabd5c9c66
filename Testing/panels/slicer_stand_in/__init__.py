"""A stand-in (a mock) for the Qt side of 3D Slicer 5.8.1, made of PySide6's offscreen widgets, because Slicer cannot be installed for tests.

What is real: the MRML scene, its nodes, the modules' logics and the parts of `slicer.util` that touch no widget (all of slicer-core), and Qt
itself: layouts, events, mouse clicks, timers and processes are PySide6's.

What is not: everything that PythonQt, CTK and Slicer's own C++ libraries of widgets do. `proxy`, `signals`, `calls` and `values` give
PySide6's objects PythonQt's manners; `ctk_*` and `mrml_*` are small widgets that behave as those of the same name; `application`, `modules`,
`module_bases` and `parameters` stand for what Slicer offers to scripted modules. The manners were recorded in a running Slicer 5.8.1
(`recorded_behaviour.json`, replayed by a test) and so were the names of properties, signals and slots (`recorded_api.json`): a name that is
recorded but not built here raises `NotInStandIn`, one that Slicer lacks raises what PythonQt raises.

`hands` does what users do (clicks, keys, choices, pictures), `session` keeps what a test answers beforehand and what slots raised, `install` puts
all of it in Slicer's place and takes it away. The fixture `a_slicer` in Testing/panels/conftest.py is the door.

Not stood in for: rendering, the main window, Slicer's style, shortcuts of the application, translations, and Qt 5 where Qt 6 differs.
"""
