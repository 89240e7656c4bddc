"""Parses an endpoint's OpenMetrics text, and holds the queries of dashboards and alert rules against it.

usage: check.py METRICS [DASHBOARD.json | RULES.yaml]...
       check.py --classic METRICS
       check.py --queries DASHBOARD.json

Prints the samples as a JSON object from `name{label="value"}` to number. Exits 1 with one line for each mistake: a text that is no
OpenMetrics, a query that is no PromQL, a metric, label or label value that the endpoint does not have, an alert without a text.

For promtool: `--classic` prints the text in Prometheus' own older form, the only one that `check metrics` reads; `--queries` prints
the dashboard's queries as a rule file for `check rules`.
"""

import json
import re
import sys

import promql_parser as promql
import yaml
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

# The labels that Prometheus itself adds to a target.
ITS_OWN = {"up"}
TARGET_LABELS = {"job", "instance"}


def shown(sample):
    labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def queries(path):
    """Each query of a file with the name of its panel, variable or alert."""
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            dashboard = json.load(file)
            for panel in dashboard["panels"]:
                for target in panel.get("targets", []):
                    yield panel["title"], target["expr"].replace("$__rate_interval", "5m")
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    asked = re.fullmatch(r"label_values\((.+), (?:job|instance)\)", variable["query"]["query"])
                    yield variable["name"], asked.group(1) if asked else variable["query"]["query"]
        else:
            for group in yaml.safe_load(file)["groups"]:
                for rule in group["rules"]:
                    yield rule["alert"], rule["expr"]


def texts_missing(path):
    if path.endswith(".json"):
        return
    with open(path, encoding="utf-8") as file:
        for group in yaml.safe_load(file)["groups"]:
            for rule in group["rules"]:
                if not (rule.get("labels", {}).get("severity") and rule.get("annotations", {}).keys() >= {"summary", "description"}):
                    yield f"{rule['alert']}: no severity, summary or description"


def selectors(query):
    """What a query asks for."""
    found = []

    def visit(node):
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(promql.parse(query), visit)
    return found


def mistakes_of(selector, samples):
    if selector.name in ITS_OWN:
        return
    named = [sample for sample in samples if sample.name == selector.name]
    if not named:
        yield f"there is no {selector.name}"
        return
    for matcher in selector.matchers.matchers:
        if matcher.name in TARGET_LABELS:
            continue
        if not any(matcher.name in sample.labels for sample in named):
            yield f"{selector.name} has no label {matcher.name}"
        elif matcher.op == promql.MatchOp.Equal and not any(sample.labels.get(matcher.name) == matcher.value for sample in named):
            yield f'{selector.name} has no {matcher.name}="{matcher.value}"'


def labels_shown(text):
    """The labels that legends and alerts put into their texts, and those that queries group by."""
    for names in re.findall(r"\b(?:by|on|without|ignoring) \(([a-z_, ]+)\)", text):
        yield from names.split(", ")
    yield from re.findall(r"\{\{([a-z_]+)\}\}", text)
    yield from re.findall(r"\$labels\.([a-z_]+)", text)


def mistakes(path, samples):
    names = {sample.name for sample in samples}
    labels = {label for sample in samples for label in sample.labels} | TARGET_LABELS
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for word in sorted(set(re.findall(r"iamra_[a-z_]+", text)) - names):
        yield f"{word} is no metric"
    for label in sorted(set(labels_shown(text)) - labels):
        yield f"no metric has the label {label}"
    asked = 0
    for title, query in queries(path):
        try:
            for selector in selectors(query):
                asked += 1
                for mistake in mistakes_of(selector, samples):
                    yield f"{title}: {mistake}"
        except ValueError as error:
            yield f"{title}: {error}"
    if not asked:
        yield "it asks for nothing"
    yield from texts_missing(path)


class Read:
    """What an endpoint said, as a source of `generate_latest`."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.families = list(text_string_to_metric_families(file.read()))

    def collect(self):
        return self.families


def as_rules(path):
    """The queries of a file as recording rules: promtool parses rules, not dashboards."""
    rules = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(queries(path))]
    return json.dumps({"groups": [{"name": "queries", "rules": rules}]})


def main(metrics, *files):
    if metrics == "--classic":
        print(generate_latest(Read(*files)).decode(), end="")
        return 0
    if metrics == "--queries":
        print(as_rules(*files))
        return 0
    families = Read(metrics).families
    samples = [sample for family in families for sample in family.samples]
    found = [f"{path}: {mistake}" for path in files for mistake in mistakes(path, samples)]
    print(json.dumps({shown(sample): float(sample.value) for sample in samples}))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
