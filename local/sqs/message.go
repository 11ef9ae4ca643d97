package sqs

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"milepost/local/awsapi"
)

// outgoing is a message to be sent.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
	MessageDeduplicationID  string `json:"MessageDeduplicationId"`
	MessageGroupID          string `json:"MessageGroupId"`
}

// attribute is a message attribute.
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

const maxAttributes = 10

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_\-.]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)
)

func (o *outgoing) check(maxSize int) error {
	switch {
	case o.MessageGroupID != "":
		return awsapi.Unsupported("the request member MessageGroupId")
	case o.MessageDeduplicationID != "":
		return awsapi.Unsupported("the request member MessageDeduplicationId")
	case o.MessageBody == "":
		return awsapi.Errorf("MissingParameter", "The request must contain the parameter MessageBody.")
	case o.DelaySeconds != nil && (*o.DelaySeconds < 0 || *o.DelaySeconds > 900):
		return invalidValue("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *o.DelaySeconds)
	case !validText(o.MessageBody):
		return awsapi.Errorf("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	case len(o.MessageAttributes) > maxAttributes:
		return invalidValue("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(o.MessageAttributes), maxAttributes)
	case o.size() > maxSize:
		return invalidValue("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxSize)
	}
	for _, name := range slices.Sorted(maps.Keys(o.MessageAttributes)) {
		if err := o.MessageAttributes[name].check(name); err != nil {
			return err
		}
	}
	for name := range o.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return invalidValue("Message system attribute name '%s' is invalid.", name)
		}
	}
	return nil
}

func (a attribute) check(name string) error {
	lower := strings.ToLower(name)
	if !attributeName.MatchString(name) || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") ||
		strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return invalidValue("The message attribute name '%s' is invalid.", name)
	}
	if !attributeType.MatchString(a.DataType) {
		return invalidValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	if a.binary() && len(a.BinaryValue) == 0 || !a.binary() && (a.StringValue == nil || *a.StringValue == "") {
		return invalidValue("The message attribute '%s' must contain a non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
	}
	if !a.binary() && !validText(*a.StringValue) {
		return awsapi.Errorf("InvalidMessageContents", "Invalid characters found in the message attribute '%s'.", name)
	}
	return nil
}

func (a attribute) binary() bool { return strings.HasPrefix(a.DataType, "Binary") }

func (a attribute) value() []byte {
	if a.binary() || a.StringValue == nil {
		return a.BinaryValue
	}
	return []byte(*a.StringValue)
}

// size is what counts for the limit: the body, and the names, types and values of the attributes.
func (o *outgoing) size() int {
	n := len(o.MessageBody)
	for name, a := range o.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.value())
	}
	return n
}

func (o *outgoing) traceHeader() string {
	return string(o.MessageSystemAttributes["AWSTraceHeader"].value())
}

// validText reports whether all characters are allowed in XML, as SQS requires.
func validText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

func md5OfText(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes is the checksum that the SDKs compute too: over names, types, kinds and values,
// each with its length, in the order of the names. It is "" without attributes.
func md5OfAttributes(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	add := func(part []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		add([]byte(name))
		add([]byte(a.DataType))
		if a.binary() {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		add(a.value())
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// newUUID makes a random UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
