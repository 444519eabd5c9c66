"""The C++ methods that PythonQt adds to Qt's classes, as far as panels use them. Setters and `is...` of recorded properties come by themselves.

A name that a class is asked for and that stands nowhere is refused; add it here if Qt 5 has it as a public method.
"""

METHODS = {
    "QObject": """
        blockSignals signalsBlocked children parent setParent installEventFilter removeEventFilter isWidgetType isWindowType property
        setProperty dynamicPropertyNames metaObject setObjectName startTimer killTimer eventFilter event
    """,
    "QWidget": """
        layout setLayout parentWidget window isHidden isVisibleTo isWindow hasFocus clearFocus setFixedSize setFixedWidth setFixedHeight resize
        move adjustSize updateGeometry setMinimumSize setMaximumSize setContentsMargins contentsRect contentsMargins mapTo mapFrom mapToGlobal
        mapFromGlobal setGeometry installEventFilter setTabOrder nextInFocusChain previousInFocusChain childAt isAncestorOf focusWidget
        focusProxy setFocusProxy setFocusPolicy setAttribute testAttribute setWindowFlags windowFlags windowType activateWindow isActiveWindow
        addAction removeAction actions insertAction ensurePolished fontMetrics foregroundRole backgroundRole setForegroundRole
        setBackgroundRole unsetCursor underMouse heightForWidth hasHeightForWidth setSizePolicy closeEvent showEvent hideEvent resizeEvent
        keyPressEvent mousePressEvent mouseReleaseEvent changeEvent
    """,
    "QAbstractButton": "setShortcut",
    "QPushButton": "setMenu menu",
    "QToolButton": "setMenu menu setDefaultAction defaultAction",
    "QLabel": "setBuddy buddy hasSelectedText",
    "QComboBox": """
        addItem addItems insertItem insertItems insertSeparator removeItem itemText itemData itemIcon setItemText setItemData setItemIcon
        findText findData view lineEdit showPopup hidePopup model
    """,
    "QLineEdit": "setSelection selectionStart setCompleter setValidator completer",
    "QTextEdit": "toPlainText toHtml setDocument document verticalScrollBar horizontalScrollBar setTextCursor textCursor viewport",
    "QPlainTextEdit": "toPlainText document verticalScrollBar horizontalScrollBar setTextCursor textCursor viewport",
    "QTextBrowser": "",
    "QSpinBox": "setRange cleanText",
    "QDoubleSpinBox": "setRange cleanText",
    "QAbstractSpinBox": "",
    "QSlider": "setRange",
    "QProgressBar": "",
    "QFrame": "setFrameStyle frameStyle",
    "QGroupBox": "",
    "QScrollArea": "setWidget widget takeWidget ensureWidgetVisible ensureVisible verticalScrollBar horizontalScrollBar viewport",
    "QStackedWidget": "addWidget insertWidget removeWidget widget currentWidget indexOf",
    "QTabWidget": """
        addTab insertTab removeTab widget currentWidget indexOf tabText setTabText setTabToolTip tabToolTip setTabEnabled isTabEnabled
        setTabVisible isTabVisible setTabIcon tabBar clear
    """,
    "QSplitter": "addWidget widget sizes setSizes setStretchFactor",
    "QAbstractScrollArea": "verticalScrollBar horizontalScrollBar viewport",
    "QAbstractItemView": """
        model selectionModel currentIndex indexAt setSelectionMode setSelectionBehavior setEditTriggers scrollTo rootIndex setModel visualRect
        setItemDelegate indexWidget setIndexWidget
    """,
    "QTableView": """
        horizontalHeader verticalHeader rowHeight setRowHeight columnWidth setColumnWidth isRowHidden setRowHidden isColumnHidden
        setColumnHidden setSpan rowAt columnAt
    """,
    "QTableWidget": """
        item setItem takeItem setCellWidget cellWidget removeCellWidget horizontalHeaderItem setHorizontalHeaderItem verticalHeaderItem
        setVerticalHeaderItem setHorizontalHeaderLabels setVerticalHeaderLabels currentRow currentColumn currentItem setCurrentCell
        setCurrentItem selectedItems selectedRanges row column findItems itemAt sortItems scrollToItem editItem visualItemRect
    """,
    "QHeaderView": """
        setSectionResizeMode sectionResizeMode resizeSection sectionSize setStretchLastSection setDefaultSectionSize hideSection showSection
        setSectionHidden isSectionHidden count setVisible length setMinimumSectionSize setHighlightSections setSectionsClickable
        setDefaultAlignment logicalIndexAt setMaximumSectionSize
    """,
    "QScrollBar": "",
    "QLayout": """
        addWidget addItem removeWidget removeItem count itemAt takeAt indexOf setContentsMargins contentsMargins setSpacing parentWidget
        setEnabled isEmpty activate invalidate setAlignment setSizeConstraint spacing update
    """,
    "QBoxLayout": """
        addLayout addStretch addSpacing addStrut insertWidget insertLayout insertStretch insertSpacing setStretch stretch setStretchFactor
        setDirection direction
    """,
    "QFormLayout": "addRow insertRow removeRow rowCount setWidget setLayout labelForField itemAt takeRow",
    "QGridLayout": """
        addLayout rowCount columnCount setRowStretch setColumnStretch itemAtPosition setRowMinimumHeight setColumnMinimumWidth
        setHorizontalSpacing setVerticalSpacing
    """,
    "QTimer": "timerId isActive setInterval setSingleShot setTimerType",
    "QProcess": """
        start waitForStarted waitForFinished waitForReadyRead waitForBytesWritten state error exitCode exitStatus processId write
        closeWriteChannel readAllStandardOutput readAllStandardError readAll readLine canReadLine bytesAvailable setProcessEnvironment
        processEnvironment setWorkingDirectory workingDirectory setProgram program setArguments arguments setProcessChannelMode
        processChannelMode setReadChannel close isOpen errorString bytesToWrite
    """,
    "QSettings": "value setValue contains remove clear sync allKeys childKeys childGroups beginGroup endGroup group fileName status",
    "QAction": "setSeparator isSeparator setData data setMenu menu setShortcut setStatusTip setToolTip setWhatsThis",
    "QMenu": "addAction addMenu addSeparator insertAction insertSeparator clear isEmpty menuAction setDefaultAction defaultAction",
    "QShortcut": "setKey setContext context isEnabled setAutoRepeat",
    "QMessageBox": """
        setText text setInformativeText setDetailedText setIcon setStandardButtons setDefaultButton addButton clickedButton setWindowTitle
        setCheckBox checkBox button buttons
    """,
    "QEvent": "type accept ignore isAccepted spontaneous",
    "QKeyEvent": "key modifiers text isAutoRepeat",
    "QMouseEvent": "button buttons modifiers pos globalPos",
    "QSize": "width height setWidth setHeight isValid isEmpty expandedTo boundedTo scaled transposed",
    "QPoint": "x y setX setY manhattanLength",
    "QRect": "x y width height left right top bottom topLeft bottomRight center size contains isValid isEmpty adjusted intersects",
    "QMargins": "left right top bottom",
    "QByteArray": "data size length isEmpty append clear",
    "QSizePolicy": """
        horizontalPolicy verticalPolicy setHorizontalPolicy setVerticalPolicy setHorizontalStretch setVerticalStretch horizontalStretch
        verticalStretch setRetainSizeWhenHidden retainSizeWhenHidden setHeightForWidth hasHeightForWidth
    """,
    "QPalette": "color setColor brush setBrush window windowText base text button buttonText highlight highlightedText mid dark light",
    "QBrush": "color setColor style setStyle",
    "QCursor": "shape setShape pos",
    "QFileInfo": """
        absoluteFilePath absolutePath baseName completeBaseName suffix completeSuffix exists fileName filePath path isDir isFile isReadable
        isWritable size canonicalFilePath
    """,
    "QFontMetrics": "horizontalAdvance height ascent descent lineSpacing elidedText boundingRect averageCharWidth",
    "QModelIndex": "row column data isValid parent model sibling",
    "QItemSelection": "indexes isEmpty count",
    "QItemSelectionModel": """
        selectedRows selectedColumns selectedIndexes currentIndex hasSelection isSelected isRowSelected selection select setCurrentIndex
    """,
    "QAbstractItemModel": "rowCount columnCount index data setData headerData flags",
    "QLayoutItem": "widget layout spacerItem isEmpty",
    "QTextDocument": "toPlainText toHtml setHtml setPlainText isEmpty blockCount lineCount clear",
    "QClipboard": "text setText clear",
    "QMetaObject": "",
    "QLocale": "name",
    "QRegion": "",
    "QStyle": "standardIcon pixelMetric",
    "QTextCursor": "",
}
