"""The networks that score: loaded once from local folders, checked against their cards, always in fp32."""
