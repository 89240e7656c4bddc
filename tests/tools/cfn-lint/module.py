"""Prints what a Terraform module would create, as JSON, without Terraform: its files are parsed as HCL, and the few expressions that
the module uses are replaced by values. An expression that is not known here stays as it is written.

usage: module.py FOLDER VALUES   VALUES: a JSON file with values by their expressions, such as "var.ca_pem"
"""

import json
import pathlib
import re
import sys

import hcl2

REPLACE = re.compile(r'replace\("(.*)", "(.)", "(.)"\)')
TEMPLATE = re.compile(r'templatefile\("\$\{path\.module\}/([^"]+)", \{(.*)\}\)', re.DOTALL)


class Module:
    def __init__(self, folder, values):
        self.folder, self.values = folder, values
        self.blocks = {"variable": {}, "resource": {}, "output": {}}
        for file in sorted(folder.glob("*.tf")):
            parsed = hcl2.loads(file.read_text())
            for kind, found in self.blocks.items():
                for block in parsed.get(kind, []):
                    self.add(found, block, labels=2 if kind == "resource" else 1)
            for local in parsed.get("locals", []):
                for name, value in local.items():
                    self.values.setdefault(f"local.{name}", value)

    def add(self, found, block, labels):
        (name, body), = block.items()
        name = name.strip('"')
        if labels == 2:
            (second, body), = body.items()
            name = f"{name}.{second.strip(chr(34))}"
        if name in found:
            sys.exit(f"{name} is there twice")
        found[name] = body

    def made(self):
        return {
            "variables": list(self.blocks["variable"]),
            "resources": {name: self.instances(body) for name, body in self.blocks["resource"].items()},
            "outputs": {name: self.evaluate(body["value"], {}) for name, body in self.blocks["output"].items()},
        }

    def instances(self, body):
        arguments = {name: value for name, value in body.items() if name not in ("for_each", "count")}
        if "for_each" not in body:
            return self.evaluate(arguments, {})
        instances = self.evaluate(body["for_each"], {})
        return {key: self.evaluate(arguments, scope(key, value)) for key, value in instances.items()}

    def evaluate(self, part, each):
        if isinstance(part, dict):
            return {key.strip('"'): self.evaluate(one, each) for key, one in part.items() if not key.startswith("__")}
        if isinstance(part, list):
            return [self.evaluate(one, each) for one in part]
        if not isinstance(part, str):
            return part
        if part.startswith('"'):
            return self.text(part[1:-1], each)
        whole = re.fullmatch(r"\$\{(.*)\}", part, re.DOTALL)
        return self.expression(whole[1], each) if whole else part

    def text(self, text, each):
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self.expression(found[1], each)), text)

    def expression(self, expression, each):
        if expression in each:
            return each[expression]
        if expression in self.values:
            return self.evaluate(self.values[expression], each)
        replace = REPLACE.fullmatch(expression)
        if replace:
            return self.text(replace[1], each).replace(replace[2], replace[3])
        template = TEMPLATE.fullmatch(expression)
        if template:
            arguments = dict(pair.strip().split(" = ", 1) for pair in template[2].split(","))
            given = {name: self.expression(value, each) for name, value in arguments.items()}
            return self.document(self.folder / self.text(template[1], each), given)
        return f"${{{expression}}}"

    def document(self, file, given):
        def value(found):
            return json.dumps(given[found[2]]) if found[1] else str(given[found[2]])

        return json.loads(re.sub(r"\$\{(jsonencode\()?(\w+)\)?\}", value, file.read_text()))


def scope(key, value):
    fields = value.items() if isinstance(value, dict) else []
    return {"each.key": key, "each.value": value, **{f"each.value.{name}": one for name, one in fields}}


with open(sys.argv[2]) as values:
    print(json.dumps(Module(pathlib.Path(sys.argv[1]), json.load(values)).made()))
