"""Imitations of real APIs: their paging, credentials, limits and oddities, with data of their own.

Each is mounted at /apis/NAME of the sample API.
"""

from imitations import accounting, chat, crm, google, open_data, shops, support, work

MODULES = (accounting, chat, crm, google, open_data, shops, support, work)


def create():
    """One of each, by name."""
    found = [kind() for module in MODULES for kind in module.IMITATIONS]
    return {imitation.name: imitation for imitation in found}
