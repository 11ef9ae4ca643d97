package dynamodb

import "milepost/local/awsapi"

func validationf(format string, args ...any) *awsapi.Error {
	return awsapi.Errorf("ValidationException", format, args...)
}

func errNesting() error {
	return validationf("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
}

func errResourceNotFound() error {
	return awsapi.Errorf("ResourceNotFoundException", "Requested resource not found")
}

func errTableNotFound(name string) error {
	return awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
}

func errSchemaMismatch() error {
	return validationf("The provided key element does not match the schema")
}

// errMember says that the request member has a value outside its enumeration.
func errMember(member, got, allowed string) error {
	return validationf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", got, member, allowed)
}

// errTooShort says that a list or a map in the request has no members.
func errTooShort(member string) error {
	return validationf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", member)
}

// errTooLong says that a list in the request has too many members.
func errTooLong(member string, most int) error {
	return validationf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, most)
}

const conditionFailed = "The conditional request failed"
