package console

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"milepost/console/states"
	"milepost/console/trace"
)

// words are the functions of the console's templates besides those of every page.
var words = template.FuncMap{
	"short":    states.Short,
	"time":     clock,
	"pretty":   pretty,
	"title":    func(text string) string { return strings.ReplaceAll(strings.ToLower(text), "_", " ") },
	"tail":     tail,
	"plural":   plural,
	"function": functionName,
	"list":     func(all ...string) []string { return all },
	"calls":    callsOf,
	"size":     size,
	"object":   objectPage,
	"lines":    linesOf,
	"wait":     func(s *trace.Span) time.Duration { return s.Start - s.Waited },
}

// clock writes an instant as a log does, in UTC; "–" for none.
func clock(at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	return at.UTC().Format("2006-01-02 15:04:05.000")
}

// pretty lays out JSON, and leaves other texts as they are.
func pretty(text any) string {
	raw := []byte(asText(text))
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

func asText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.RawMessage:
		return string(v)
	case []byte:
		return string(v)
	}
	text, _ := json.Marshal(value) // a value that cannot be JSON is shown as nothing
	return string(text)
}

// shellQuoted makes a text one word of a shell's command line.
func shellQuoted(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@=,+") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// tail is what follows the last colon or slash of an ARN or address: a name.
func tail(arn string) string {
	if i := strings.LastIndexAny(arn, ":/"); i >= 0 {
		return arn[i+1:]
	}
	return arn
}

// callsOf says what a span called, "" if nothing.
func callsOf(s *trace.Span) string {
	n, took := s.Calls()
	if n == 0 {
		return ""
	}
	return plural(n, "call") + ", " + states.Short(took)
}

// linesOf is the pattern that finds the lines of an invocation: those of a function, and those of Lambda itself.
func linesOf(request string) string {
	return `{ $.request_id = "` + request + `" || $.record.requestId = "` + request + `" }`
}

// functionName is the name in a function's ARN, which may end in a version or an alias.
func functionName(arn string) string {
	if _, name, ok := strings.Cut(arn, ":function:"); ok {
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	return tail(arn)
}

// command is an aws command line that asks what a page shows.
func (c *Console) command(words ...string) string {
	line := []string{"aws"}
	for _, w := range words {
		line = append(line, shellQuoted(w))
	}
	if endpoint := c.AWS.BaseEndpoint; endpoint != nil {
		line = append(line, "--endpoint-url", *endpoint)
	}
	return strings.Join(append(line, "--region", c.AWS.Region), " ")
}

// asAWS is a value of the SDK as the aws command line prints it: members begin with a small letter, and those without a
// value are left out.
func asAWS(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return nil // the SDK's types are plain
	}
	var plain any
	_ = json.Unmarshal(text, &plain) // it was made a line above
	return small(plain)
}

func small(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if member != nil && name != "ResultMetadata" {
				out[strings.ToLower(name[:1])+name[1:]] = small(member)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = small(v[i])
		}
	}
	return value
}

// number is one as JSON has it: all its digits.
type number string

// MarshalJSON writes the digits.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// textOf is a text or number of plain data as a text, "" for other values.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case number:
		return string(v)
	}
	return ""
}

// plural counts things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// pathOf makes a text a part of a path.
func pathOf(text string) string { return url.PathEscape(strings.TrimSpace(text)) }
