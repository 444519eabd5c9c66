"""Tests of an explanation: does the map say what the model does?"""
