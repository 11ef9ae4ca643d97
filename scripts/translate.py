"""Translates a SAM template as CloudFormation would, and fails on what cannot be translated.

It needs no AWS account: managed policies are named instead of looked up.
"""

import os
import sys

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.translator import Translator
from samtranslator.parser.parser import Parser
from cfnlint.decode import cfn_yaml


class NamedPolicies(ManagedPolicyLoader):
    """Gives every managed policy its AWS ARN."""

    def __init__(self):
        super().__init__(iam_client=None)

    def load(self):
        return {
            name: f"arn:aws:iam::aws:policy/service-role/{name}"
            for name in (
                "AWSLambdaBasicExecutionRole",
                "AWSLambdaDynamoDBExecutionRole",
            )
        } | {"AWSXrayWriteOnlyAccess": "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"}


def main(path):
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    document = cfn_yaml.load(path)
    parameters = {
        name: p.get("Default", "https://example.com")
        for name, p in document["Parameters"].items()
    }
    # The deployment packages local paths into a bucket before it translates.
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["DefinitionUri"] = "s3://bucket/definition.json"
    document["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    try:
        translated = Translator(NamedPolicies().load(), Parser()).translate(
            document, parameters
        )
    except InvalidDocumentException as e:
        for cause in e.causes:
            print(cause.message, file=sys.stderr)
        return 1
    print(f"{path}: {len(document['Resources'])} resources translate to {len(translated['Resources'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
