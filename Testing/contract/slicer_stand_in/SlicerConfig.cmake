# A stand-in for Slicer's build tree, for tests on machines without one. It names the folders Slicer names, and its macros copy and
# install what the real ones do (CMake/SlicerMacroBuildScriptedModule.cmake and CTK's ctkMacroCompilePythonScript.cmake), without
# compiling. It says nothing about Slicer itself.
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-0.0/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-0.0/qt-scripted-modules)
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/macros.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
