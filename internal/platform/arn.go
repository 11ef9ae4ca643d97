package platform

import (
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// NameIn is the name of the resource that an ARN has: of a function without its version, of an execution that of its
// state machine, of a rule without its bus. A text that is not an ARN stays as it is.
func NameIn(text string) string {
	of, err := arn.Parse(text)
	if err != nil {
		return text
	}
	if parts := strings.Split(of.Resource, ":"); len(parts) > 1 { // function:name:version, execution:machine:name
		return parts[1]
	}
	return path.Base(of.Resource) // rule/bus/name
}
