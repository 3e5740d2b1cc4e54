"""MiniMax: model and voice provider `minimax`."""

from bargein.providers.interface import VendorSpec
from bargein.providers.minimax.settings import MinimaxSettings

VENDOR = VendorSpec(name="minimax", settings=MinimaxSettings)
