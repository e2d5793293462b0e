"""How the figures are shown: tables, charts, and the page that has them."""
