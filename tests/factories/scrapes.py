"""What `/metrics` tells, as values by name and labels."""

from prometheus_client.parser import text_string_to_metric_families

Scrape = dict[tuple[str, ...], float]


def read_scrape(text: str) -> Scrape:
    """Return the value of each sample by its name and the values of its labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
