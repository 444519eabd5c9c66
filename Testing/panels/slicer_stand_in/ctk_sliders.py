"""CTK's slider, range and spin box for real numbers."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

_LARGE = 1e300


def _spin_box(maximum: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, maximum)
    box.setKeyboardTracking(False)
    return box


def _of(box_name: str, kind: type, getter: str, setter: str) -> Property:
    """A property that is a spin box's own."""

    def write(self: Any, value: Any) -> None:
        getattr(getattr(self, box_name), setter)(value)

    return Property(kind, lambda self: getattr(getattr(self, box_name), getter)(), write)


class SliderWidget(QWidget):
    """ctkSliderWidget: a slider and a spin box that show one number."""

    valueChanged = Signal(float)  # noqa: N815
    valueIsChanging = Signal(float)  # noqa: N815
    decimalsChanged = Signal(int)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value, self._minimum, self._maximum, self._step, self._tracking = 0.0, 0.0, 99.99, 1.0, True
        self._spin_box, self._slider = _spin_box(99.99), QSlider(Qt.Orientation.Horizontal)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self._spin_box.valueChanged.connect(self._on_spin_box)
        self._slider.valueChanged.connect(self._on_slider)
        self._show()

    def setValue(self, value: float) -> None:  # noqa: N802
        value = min(max(value, self._minimum), self._maximum)
        changed, self._value = value != self._value, value
        self._show()
        if changed:
            self.valueChanged.emit(value)

    def reset(self) -> None:
        self.setValue(0.0)

    def setSpinBoxVisible(self, visible: bool) -> None:  # noqa: N802
        self._spin_box.setVisible(visible)

    def setDecimals(self, decimals: int) -> None:  # noqa: N802
        self._spin_box.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def _on_spin_box(self, value: float) -> None:
        if abs(value - self._value) >= 10.0 ** -self._spin_box.decimals():
            self.setValue(value)

    def _on_slider(self, position: int) -> None:
        self.setValue(self._minimum + position * self._step)

    def _show(self) -> None:
        for widget in (self._spin_box, self._slider):
            widget.blockSignals(True)
        finite = math.isfinite(self._minimum) and math.isfinite(self._maximum)
        self._spin_box.setRange(max(self._minimum, -_LARGE), min(self._maximum, _LARGE))
        self._spin_box.setValue(self._value)
        if finite:
            self._slider.setRange(0, min(round((self._maximum - self._minimum) / self._step), 2**30))
            self._slider.setValue(min(round((self._value - self._minimum) / self._step), 2**30))
        for widget in (self._spin_box, self._slider):
            widget.blockSignals(False)

    def _set_minimum(self, minimum: float) -> None:
        self._minimum = _rounded(minimum, self._spin_box.decimals())
        self._maximum = max(self._maximum, self._minimum)
        self.setValue(self._value)

    def _set_maximum(self, maximum: float) -> None:
        self._maximum = _rounded(maximum, self._spin_box.decimals())
        self._minimum = min(self._minimum, self._maximum)
        self.setValue(self._value)

    def _set_step(self, step: float) -> None:
        self._step = step
        self._spin_box.setSingleStep(step)
        self._show()

    def _set_tracking(self, tracking: bool) -> None:
        self._tracking = tracking
        self._slider.setTracking(tracking)

    value = Property(float, lambda self: self._value, setValue, notify=valueChanged, user=True)
    minimum = Property(float, lambda self: self._minimum, _set_minimum)
    maximum = Property(float, lambda self: self._maximum, _set_maximum)
    singleStep = Property(float, lambda self: self._step, _set_step)  # noqa: N815
    pageStep = Property(  # noqa: N815
        float, lambda self: self._slider.pageStep() * self._step, lambda self, step: self._slider.setPageStep(round(step / self._step))
    )
    decimals = Property(int, lambda self: self._spin_box.decimals(), setDecimals)
    prefix = _of("_spin_box", str, "prefix", "setPrefix")
    suffix = _of("_spin_box", str, "suffix", "setSuffix")
    tracking = Property(bool, lambda self: self._tracking, _set_tracking)
    spinBoxVisible = Property(bool, lambda self: not self._spin_box.isHidden(), setSpinBoxVisible)  # noqa: N815


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) if math.isfinite(value) else value


class RangeWidget(QWidget):
    """ctkRangeWidget: two numbers within limits, the lower never above the upper. It draws no slider, only the two boxes."""

    minimumValueChanged = Signal(float)  # noqa: N815
    maximumValueChanged = Signal(float)  # noqa: N815
    valuesChanged = Signal(float, float)  # noqa: N815
    rangeChanged = Signal(float, float)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high, self._minimum, self._maximum = 0.0, 99.0, 0.0, 99.0
        self._low_box, self._high_box = _spin_box(99.0), _spin_box(99.0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._low_box)
        layout.addStretch()
        layout.addWidget(self._high_box)
        self._low_box.valueChanged.connect(self.setMinimumValue)
        self._high_box.valueChanged.connect(self.setMaximumValue)
        self._show()

    def setValues(self, low: float, high: float) -> None:  # noqa: N802
        low, high = sorted((min(max(low, self._minimum), self._maximum), min(max(high, self._minimum), self._maximum)))
        low_changed, high_changed = low != self._low, high != self._high
        self._low, self._high = low, high
        self._show()
        if low_changed:
            self.minimumValueChanged.emit(low)
        if high_changed:
            self.maximumValueChanged.emit(high)
        if low_changed or high_changed:
            self.valuesChanged.emit(low, high)

    def setMinimumValue(self, low: float) -> None:  # noqa: N802
        self.setValues(low, max(low, self._high))

    def setMaximumValue(self, high: float) -> None:  # noqa: N802
        self.setValues(min(self._low, high), high)

    def setRange(self, minimum: float, maximum: float) -> None:  # noqa: N802
        changed = (minimum, maximum) != (self._minimum, self._maximum)
        self._minimum, self._maximum = min(minimum, maximum), max(minimum, maximum)
        self.setValues(self._low, self._high)
        if changed:
            self.rangeChanged.emit(self._minimum, self._maximum)

    def setDecimals(self, decimals: int) -> None:  # noqa: N802
        for box in (self._low_box, self._high_box):
            box.setDecimals(decimals)

    def reset(self) -> None:
        self.setValues(0.0, 99.0)

    def _show(self) -> None:
        for box, value in ((self._low_box, self._low), (self._high_box, self._high)):
            box.blockSignals(True)
            box.setRange(self._minimum, self._maximum)
            box.setValue(value)
            box.blockSignals(False)

    def _both(self, setter: str, value: Any) -> None:
        for box in (self._low_box, self._high_box):
            getattr(box, setter)(value)

    minimumValue = Property(float, lambda self: self._low, setMinimumValue)  # noqa: N815
    maximumValue = Property(float, lambda self: self._high, setMaximumValue)  # noqa: N815
    minimum = Property(float, lambda self: self._minimum, lambda self, value: self.setRange(value, max(value, self._maximum)))
    maximum = Property(float, lambda self: self._maximum, lambda self, value: self.setRange(min(value, self._minimum), value))
    decimals = Property(int, lambda self: self._low_box.decimals(), setDecimals)
    singleStep = Property(float, lambda self: self._low_box.singleStep(), lambda self, step: self._both("setSingleStep", step))  # noqa: N815
    prefix = Property(str, lambda self: self._low_box.prefix(), lambda self, text: self._both("setPrefix", text))
    suffix = Property(str, lambda self: self._low_box.suffix(), lambda self, text: self._both("setSuffix", text))


class DoubleSpinBox(QDoubleSpinBox):
    """ctkDoubleSpinBox, as far as it is Qt's own."""
