"""What DeepSeg's modules share. Importing it makes the package `deepseg` importable; it loads nothing heavy."""

from DeepSegLib.search_path import add_logic_folder

add_logic_folder()
