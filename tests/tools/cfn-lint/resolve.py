"""Prints a CloudFormation template's resources and outputs as JSON, with parameters and attributes put in: what CloudFormation would
create. Values that a parameter's pattern or a rule of the template refuses are an error, as there.

usage: resolve.py TEMPLATE VALUES   VALUES: a JSON file with Parameters by name, and attributes as "Resource.Attribute"
"""

import json
import re
import sys

import yaml

ABSENT = object()


class Loader(yaml.SafeLoader):
    """Reads !Ref and the short forms of functions as their long forms."""


def long_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", long_form)


class Stack:
    def __init__(self, template, values):
        defaults = {name: one["Default"] for name, one in template["Parameters"].items() if "Default" in one}
        self.values = {**defaults, **values}
        for name, one in template["Parameters"].items():
            pattern, value = one.get("AllowedPattern"), self.values[name]
            if pattern and not re.fullmatch(pattern, value):
                sys.exit(f"{name} does not match {pattern}: {value}")
            if one["Type"] == "CommaDelimitedList" and isinstance(value, str):
                self.values[name] = value.split(",")
        self.conditions = template.get("Conditions", {})
        for rule in template.get("Rules", {}).values():
            for one in rule["Assertions"]:
                if not self.resolve(one["Assert"]):
                    sys.exit(one["AssertDescription"])

    def resources(self, all_of_them):
        return {name: self.resolve(one["Properties"]) for name, one in self.wanted(all_of_them).items()}

    def wanted(self, all_of_them):
        return {name: one for name, one in all_of_them.items() if self.holds(one.get("Condition"))}

    def holds(self, condition):
        return condition is None or self.resolve(self.conditions[condition])

    def value(self, name):
        return ABSENT if name == "AWS::NoValue" else self.values[name]

    def resolve(self, part):
        if isinstance(part, list):
            return [one for one in map(self.resolve, part) if one is not ABSENT]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            (name, argument), = part.items()
            if name == "Ref" or name.startswith("Fn::"):
                return getattr(self, name.removeprefix("Fn::").lower())(argument)
        resolved = {key: self.resolve(one) for key, one in part.items()}
        return {key: one for key, one in resolved.items() if one is not ABSENT}

    def ref(self, name):
        return self.value(name)

    def getatt(self, name):
        return self.value(name)

    def sub(self, argument):
        text, more = (argument, {}) if isinstance(argument, str) else argument
        more = self.resolve(more)
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(more.get(found[1]) or self.value(found[1])), text)

    def join(self, argument):
        separator, parts = self.resolve(argument)
        return separator.join([parts] if isinstance(parts, str) else parts)

    def split(self, argument):
        separator, text = self.resolve(argument)
        return text.split(separator)

    def equals(self, argument):
        left, right = self.resolve(argument)
        return left == right

    def contains(self, argument):
        values, value = self.resolve(argument)
        return value in values

    def __getattr__(self, name):
        if name == "not":
            return lambda argument: not self.resolve(argument)[0]
        if name in ("and", "or"):
            return lambda argument: (all if name == "and" else any)(self.resolve(argument))
        if name == "if":
            return self.choose
        raise AttributeError(f"the function {name} is not known here")

    def choose(self, argument):
        condition, then, otherwise = argument
        return self.resolve(then if self.holds(condition) else otherwise)


with open(sys.argv[1]) as template, open(sys.argv[2]) as values:
    template, values = yaml.load(template, Loader), json.load(values)
stack = Stack(template, values)
outputs = {name: stack.resolve(one["Value"]) for name, one in stack.wanted(template["Outputs"]).items()}
said = {name: one["Description"] for name, one in template["Outputs"].items()}
parameters = list(template["Parameters"])
print(json.dumps({
    "resources": stack.resources(template["Resources"]), "outputs": outputs, "said": said, "parameters": parameters,
}))
