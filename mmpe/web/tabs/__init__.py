"""Tabs of the page: their answers and their layout."""
from .animate import AnimateTab
from .base import Tab
from .edit import EditTab
from .faces import FacesTab
from .learn import LearnTab
from .move import MoveTab
from .new import NewTab

__all__ = [
    'AnimateTab', 'EditTab', 'FacesTab', 'LearnTab', 'MoveTab', 'NewTab', 'Tab'
]
