"""Slicer's widgets on a real scene, where what they do was read in Slicer 5.8.1's sources and not recorded."""

import pytest

MODULES = "colors cropvolume data markups models plots segmentations sequences subjecthierarchy tables terminologies texts transforms units volumes"
VOLUMES = ["vtkMRMLScalarVolumeNode"]


@pytest.fixture
def a_selector(a_slicer):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = VOLUMES
    selector.setMRMLScene(a_slicer.scene)
    return selector


def _add(a_slicer, name, class_name="vtkMRMLScalarVolumeNode"):
    return a_slicer.scene.AddNewNodeByClass(class_name, name)


def test_the_neighbour_is_chosen_when_a_chosen_node_goes(a_slicer, a_selector):
    first, second, third = (_add(a_slicer, name) for name in "abc")
    a_selector.setCurrentNode(second)

    a_slicer.scene.RemoveNode(second)
    assert a_selector.currentNode() is third
    a_slicer.scene.RemoveNode(third)
    assert a_selector.currentNode() is first
    a_slicer.scene.RemoveNode(first)
    assert a_selector.currentNode() is None


def test_without_rows_to_add_or_delete_the_first_node_is_chosen_when_it_comes(a_slicer, a_selector):
    _add(a_slicer, "first")
    assert a_selector.currentNode() is None

    a_slicer.scene.Clear(False)
    a_selector.addEnabled = a_selector.removeEnabled = False
    node = _add(a_slicer, "second")
    assert a_selector.currentNode() is node


def test_a_node_is_filtered_by_the_last_attribute_whenever_it_changes(a_slicer, a_selector):
    node = _add(a_slicer, "map")
    a_selector.addAttribute("vtkMRMLScalarVolumeNode", "DeepSeg.unused")
    a_selector.addAttribute("vtkMRMLScalarVolumeNode", "DeepSeg.kind", "entropy")
    assert a_selector.nodeCount() == 0

    node.SetAttribute("DeepSeg.kind", "entropy")
    assert a_selector.nodeCount() == 1
    node.SetAttribute("DeepSeg.kind", "variance")
    assert a_selector.nodeCount() == 0


def test_create_new_tells_twice_as_in_slicer(a_slicer, a_selector):
    told = []
    a_selector.connect("nodeAddedByUser(vtkMRMLNode*)", told.append)
    a_selector.baseName = "Made"
    window = _shown(a_selector)

    a_slicer.choose(a_selector, "Create new Volume")
    a_slicer.choose(a_selector, "Create new Volume")

    assert [node.GetName() for node in told] == ["Made", "Made", "Made_1", "Made_1"]
    assert window.visible


def test_a_node_is_renamed_and_deleted_by_its_user(a_slicer, a_selector):
    _add(a_slicer, "head")
    a_selector.setCurrentNodeIndex(0)
    a_selector.renameEnabled = True
    window = _shown(a_selector)
    a_slicer.answers.append("neck")

    a_slicer.choose(a_selector, "Rename current Volume")
    assert a_selector.currentNode().GetName() == "neck"
    a_slicer.choose(a_selector, "Delete current Volume")
    assert a_slicer.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert window.visible


def _shown(widget):
    import qt

    window = qt.QWidget()
    qt.QVBoxLayout(window).addWidget(widget)
    window.show()
    return window


def test_the_table_shows_a_real_table_node(a_slicer):
    import slicer
    import vtk

    node = _add(a_slicer, "figures", "vtkMRMLTableNode")
    for name, values in (("Segment", ("Front", "Back")), ("Volume", ("1.5", "2.5"))):
        column = vtk.vtkStringArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(node)

    model = view.model()
    assert (model.rowCount(), model.columnCount()) == (2, 2)
    assert model.data(model.index(1, 1)) == "2.5"
    assert model.headerData(1, 1) == "Volume"


def test_surfaces_are_made_and_removed_by_the_button(a_slicer):
    import numpy as np
    import slicer

    segmentation = _add(a_slicer, "labels", "vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    button = slicer.qMRMLSegmentationShow3DButton()
    button.setSegmentationNode(segmentation)
    assert not button.enabled

    voxels = np.zeros((6, 6, 6), np.uint8)
    voxels[2:4, 2:4, 2:4] = 1
    labels = slicer.util.addVolumeFromArray(voxels, nodeClassName="vtkMRMLLabelMapVolumeNode")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, segmentation)
    assert button.enabled

    button.click()
    assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    button.click()
    assert not segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_placing_points_switches_the_real_interaction_node(a_slicer):
    import slicer

    points = _add(a_slicer, "points", "vtkMRMLMarkupsFiducialNode")
    widget, heard = slicer.qSlicerMarkupsPlaceWidget(), []
    widget.connect("activeMarkupsPlaceModeChanged(bool)", heard.append)
    widget.setMRMLScene(a_slicer.scene)
    widget.setCurrentNode(points)

    widget.setPlaceModeEnabled(True)
    assert widget.placeModeEnabled
    assert a_slicer.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton").GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
    widget.placeModeEnabled = False
    assert heard == [True, False]


def test_what_collapses_hides_its_children_but_not_those_hidden_before(a_slicer):
    import ctk
    import qt

    button = ctk.ctkCollapsibleButton("Inputs")
    layout = qt.QVBoxLayout(button)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.visible = False
    button.show()

    a_slicer.mouse_click(button)
    assert (button.collapsed, shown.visible) == (True, False)
    hidden.visible = True
    a_slicer.mouse_click(button)
    assert (button.collapsed, shown.visible, hidden.visible) == (False, True, True)


def test_an_object_without_parent_goes_with_its_last_name(a_slicer):
    import qt

    fired = []

    def start():
        timer = qt.QTimer()
        timer.setInterval(1)
        timer.connect("timeout()", lambda: fired.append(1))
        timer.start()

    start()
    a_slicer.process_events(0.02)
    assert not fired


def test_settings_are_fresh(a_slicer):
    import qt

    assert not qt.QSettings().allKeys()
    qt.QSettings().setValue("DeepSeg/x", 1)
    assert qt.QSettings().contains("DeepSeg/x")


def test_settings_are_fresh_again(a_slicer):
    import qt

    assert not qt.QSettings().contains("DeepSeg/x")


def test_a_path_that_the_filters_refuse_is_not_told(a_slicer):
    import ctk

    line, told = ctk.ctkPathLineEdit(), []
    line.currentPathChanged.connect(told.append)
    line.nameFilters = ["Images (*.nii *.nii.gz)"]
    line.currentPath = "/tmp/head.txt"
    line.currentPath = "/tmp/head.nii.gz"

    assert told == ["/tmp/head.nii.gz"]


def test_links_are_caught_and_open_nothing(a_slicer):
    import qt

    qt.QDesktopServices.openUrl(qt.QUrl("https://example.org/a"))
    assert a_slicer.opened == ["https://example.org/a"]


def test_a_shot_that_waits_at_the_end_of_a_test_never_fires(a_slicer):
    import qt

    qt.QTimer.singleShot(1, lambda: 1 / 0)


def test_the_shot_of_the_test_before_is_gone(a_slicer):
    a_slicer.process_events(0.01)


def test_a_file_dialog_is_answered_by_the_test(a_slicer):
    import qt

    a_slicer.answers += ["/tmp/models", 0x4000]
    assert qt.QFileDialog.getExistingDirectory(None, "Folder of models") == "/tmp/models"
    assert qt.QMessageBox.question(None, "Models", "Import it?") == qt.QMessageBox.Yes
    assert a_slicer.asked == ["Folder of models", "Import it?"]


def test_a_menu_is_answered_by_the_text_of_an_action(a_slicer):
    import qt

    menu, chosen = qt.QMenu(), []
    menu.addAction("Copy").triggered.connect(lambda: chosen.append("copied"))
    menu.addAction("Paste")
    a_slicer.answers.append("Copy")

    assert menu.exec_(qt.QPoint(0, 0)).text == "Copy"
    assert chosen == ["copied"]


def test_cells_and_keys_are_reached_as_by_a_user(a_slicer):
    import qt

    table, heard = qt.QTableWidget(3, 2), []
    for row in range(3):
        table.setItem(row, 0, qt.QTableWidgetItem(f"row {row}"))
    table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    table.connect("currentCellChanged(int,int,int,int)", lambda row, column: heard.append((row, column)))
    table.horizontalHeader().sectionClicked.connect(lambda column: heard.append(column))
    table.show()

    a_slicer.click_cell(table, 1, 0)  # a table that gets the focus chooses its first cell before
    a_slicer.press(table, "Down")

    assert heard[-2:] == [(1, 0), (2, 0)]
    assert (table.currentRow(), table.selectedItems()[0].text()) == (2, "row 2")


def test_a_shortcut_is_heard(a_slicer):
    import qt

    window, heard = qt.QWidget(), []
    line = qt.QLineEdit()
    qt.QVBoxLayout(window).addWidget(line)
    shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+R"), window)
    shortcut.activated.connect(lambda: heard.append("run"))
    window.show()
    window.activateWindow()

    a_slicer.press(line, "Ctrl+R")

    assert heard == ["run"]


@pytest.mark.parametrize("name", MODULES.split())
def test_slicers_modules_have_their_real_logics(name, a_slicer):
    import slicer

    logic = getattr(slicer.modules, name).logic()

    assert logic is getattr(slicer.modules, name).logic()
    assert logic.GetMRMLScene() is a_slicer.scene


def test_a_wait_cursor_comes_and_goes(a_slicer):
    import qt

    qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
    qt.QApplication.restoreOverrideCursor()


def test_slices_have_real_logics(a_slicer):
    import slicer

    manager = slicer.app.layoutManager()
    assert manager.sliceViewNames() == ("Red", "Green", "Yellow")
    assert manager.sliceWidget("Green").sliceLogic().GetSliceNode().GetOrientation() == "Coronal"
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    slicer.util.setSliceViewerLayers(background=None)
