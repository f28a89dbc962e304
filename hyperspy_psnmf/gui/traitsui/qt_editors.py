# SPDX-License-Identifier: GPL-3.0-or-later
"""Editors that traitsui does not have: a picture, a bar and formatted text."""

from pyface.qt import QtCore, QtGui
from traitsui.qt.editor import Editor


def repaint() -> None:
    """Draw what has changed, before something that takes long."""
    no_input = QtCore.QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents
    QtGui.QApplication.instance().processEvents(no_input)


class Picture(Editor):
    """Shows the bytes of a PNG image, as large as there is room for."""

    scrollable = True

    def init(self, parent):
        """Make the widget."""
        self.control = _Canvas()

    def update_editor(self):
        """Show another image."""
        self.control.show_image(self.value)


class _Canvas(QtGui.QWidget):
    def __init__(self):
        super().__init__()
        self._image = QtGui.QPixmap()
        self.setMinimumSize(200, 150)
        expanding = QtGui.QSizePolicy.Policy.Expanding
        self.setSizePolicy(expanding, expanding)

    def show_image(self, png):
        self._image = QtGui.QPixmap()
        self._image.loadFromData(png)
        self.update()

    def paintEvent(self, event):
        if self._image.isNull():
            return
        keep = QtCore.Qt.AspectRatioMode.KeepAspectRatio
        smooth = QtCore.Qt.TransformationMode.SmoothTransformation
        room = self.size() * self.devicePixelRatioF()
        scaled = self._image.scaled(room, keep, smooth)
        scaled.setDevicePixelRatio(self.devicePixelRatioF())
        QtGui.QPainter(self).drawPixmap(0, 0, scaled)


class Bar(Editor):
    """Shows a fraction from 0 to 1 as a progress bar."""

    def init(self, parent):
        """Make the widget."""
        self.control = QtGui.QProgressBar()
        self.control.setRange(0, 100)

    def update_editor(self):
        """Show another fraction."""
        self.control.setValue(round(100 * self.value))


class RichText(Editor):
    """Shows text with HTML tags, to be read and copied."""

    scrollable = True

    def init(self, parent):
        """Make the widget."""
        self.control = QtGui.QTextBrowser()

    def update_editor(self):
        """Show another text, with tables as wide as they are."""
        self.control.setWordWrapMode(QtGui.QTextOption.WrapMode.NoWrap)
        self.control.setHtml(self.str_value)


class PlainText(RichText):
    """Shows lines of text as they are."""

    def update_editor(self):
        """Show another text."""
        self.control.setPlainText(self.str_value)
