"""How stores of older versions become those of newer ones; run by `fanwise.stores.upgrades`."""
