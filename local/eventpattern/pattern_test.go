package eventpattern_test

import (
	"errors"
	"fmt"
	"testing"

	"milepost/local/eventpattern"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pattern, event string
		want           bool
	}{
		"all fields have to match":                     {`{"a":["1"],"b":["2"]}`, `{"a":"1","b":"3"}`, false},
		"one of several values is enough":              {`{"a":["1","2"]}`, `{"a":"2"}`, true},
		"one element of an array is enough":            {`{"a":["2"]}`, `{"a":["1","2"]}`, true},
		"a string is not a number":                     {`{"a":[300]}`, `{"a":"300"}`, false},
		"numbers compare by value":                     {`{"a":[300]}`, `{"a":3.0e2}`, true},
		"a number out of range compares by spelling":   {`{"a":[123456789012345]}`, `{"a":123456789012345}`, true},
		"null is a value":                              {`{"a":[null]}`, `{"a":null}`, true},
		"true is not a string":                         {`{"a":["true"]}`, `{"a":true}`, false},
		"escapes are read":                             {`{"a":["\u00e9\n"]}`, `{"a":"é\u000a"}`, true},
		"a dotted name in the event is a path":         {`{"a":{"b":["1"]}}`, `{"a.b":"1"}`, true},
		"of two equal names the later counts":          {`{"a":["1"],"a":["2"]}`, `{"a":"1"}`, false},
		"an element has to match as a whole":           {`{"a":{"x":[1],"y":[2]}}`, `{"a":[{"x":1,"y":3},{"x":2,"y":2}]}`, false},
		"another element may match as a whole":         {`{"a":{"x":[1],"y":[2]}}`, `{"a":[{"x":1,"y":3},{"x":1,"y":2}]}`, true},
		"elements of different arrays are independent": {`{"a":{"x":[1]},"b":{"y":[2]}}`, `{"a":[{"x":0},{"x":1}],"b":[{"y":2},{"y":0}]}`, true},
		"nested arrays bind at each level":             {`{"a":{"b":{"c":[1]},"d":[2]}}`, `{"a":[{"b":[{"c":0},{"c":1}],"d":3},{"b":[{"c":0}],"d":2}]}`, false},
		"absence is looked for in the element":         {`{"a":{"x":[1],"y":[{"exists":false}]}}`, `{"a":[{"x":1},{"x":2,"y":2}]}`, true},
		"absence fails in the element that has it":     {`{"a":{"x":[1],"y":[{"exists":false}]}}`, `{"a":[{"x":1,"y":2},{"x":2}]}`, false},
		"an empty array has no leaf":                   {`{"a":[{"exists":false}]}`, `{"a":[]}`, true},
		"an object is no leaf":                         {`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		"absence or a value, absent":                   {`{"a":[{"exists":false},"x"]}`, `{}`, true},
		"absence or a value, other value":              {`{"a":[{"exists":false},"x"]}`, `{"a":"y"}`, false},
		"anything-but takes any element":               {`{"a":[{"anything-but":["x"]}]}`, `{"a":["x","y"]}`, true},
		"anything-but a number takes its spellings":    {`{"a":[{"anything-but":1}]}`, `{"a":1.0}`, false},
		"anything-but ignoring case":                   {`{"a":[{"anything-but":{"equals-ignore-case":"X"}}]}`, `{"a":"x"}`, false},
		"suffix ignoring case":                         {`{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"a":"i.png"}`, true},
		"equals ignoring case beyond ASCII":            {`{"a":[{"equals-ignore-case":"ÉTÉ"}]}`, `{"a":"été"}`, true},
		"exactly":                                      {`{"a":[{"exactly":"x"}]}`, `{"a":"x"}`, true},
		"numeric equality":                             {`{"a":[{"numeric":["=",301.8]}]}`, `{"a":3.018e2}`, true},
		"an open bound excludes":                       {`{"a":[{"numeric":[">",0,"<",5]}]}`, `{"a":5}`, false},
		"a closed bound includes":                      {`{"a":[{"numeric":[">=",0,"<=",5]}]}`, `{"a":5}`, true},
		"a wildcard does not use a character twice":    {`{"a":[{"wildcard":"ab*ba"}]}`, `{"a":"aba"}`, false},
		"an escaped wildcard is a star":                {`{"a":[{"wildcard":"a\\*"}]}`, `{"a":"a*"}`, true},
		"IPv6 in a block":                              {`{"a":[{"cidr":"2001:db8::/32"}]}`, `{"a":"2001:db8:1::1"}`, true},
		"IPv4 is not in an IPv6 block":                 {`{"a":[{"cidr":"::/0"}]}`, `{"a":"10.0.0.1"}`, false},
		"an address in another spelling":               {`{"a":["2001:db8::1"]}`, `{"a":"2001:0db8:0:0:0:0:0:1"}`, true},
		"or, first":                                    {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":1}`, true},
		"or, none":                                     {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":2,"b":1}`, false},
		"or, and another field":                        {`{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}`, `{"b":2}`, false},
		"or within or":                                 {`{"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"d":[4]}]}]}`, `{"b":2,"d":4}`, true},
		"two ors multiply":                             {`{"$or":[{"a":[1]},{"b":[2]}],"x":{"$or":[{"c":[3]},{"d":[4]}]}}`, `{"b":2,"x":{"c":3}}`, true},
		"a stream record without an envelope":          {`{"eventName":["INSERT"],"dynamodb":{"NewImage":{"t":{"S":[{"prefix":"Quote"}]}}}}`, `{"eventName":"INSERT","dynamodb":{"NewImage":{"t":{"S":"QuoteOffered"}}}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := eventpattern.Compile([]byte(c.pattern))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Match([]byte(c.event))
			if err != nil || got != c.want {
				t.Errorf("Match = %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for pattern, reason := range map[string]string{
		`{}`:                                   "Empty objects are not allowed",
		`{"a":[]}`:                             "Empty arrays are not allowed",
		`{"a":[[1]]}`:                          "Match value must be String, number, true, false, or null",
		`{"a":[{}]}`:                           "Match expression name not found",
		`{"a":[{"prefix":"x","suffix":"y"}]}`:  "Only one key allowed in match expression",
		`{"a":[{"prefix":{"wildcard":"x"}}]}`:  "Unsupported prefix pattern: wildcard",
		`{"a":[{"anything-but":[]}]}`:          "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"a":[{"anything-but":[1,"x"]}]}`:     "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"a":[{"anything-but":[null]}]}`:      "Inside anything but list, start|null|boolean is not supported.",
		`{"a":[{"anything-but":true}]}`:        "Value of anything-but must be an array or single string/number value.",
		`{"a":[{"anything-but":{"cidr":""}}]}`: "Unsupported anything-but pattern: cidr",
		`{"a":[{"numeric":5}]}`:                "Value of numeric must be an array.",
		`{"a":[{"numeric":["!=",5]}]}`:         "Unrecognized numeric range operator: !=",
		`{"a":[{"numeric":["<",6e9]}]}`:        "Value must be between -5.0E+09 and 5.0E+09, inclusive",
		`{"a":[{"exists":"yes"}]}`:             "exists match pattern must be either true or false.",
		`{"a":[{"wildcard":"a**"}]}`:           "Consecutive wildcard characters at pos 2",
		`{"a":[{"wildcard":"a\\b"}]}`:          "Invalid escape character at pos 2",
		`{"a":[{"cidr":"10.0.0.0"}]}`:          "Malformed CIDR, one '/' required",
		`{"a":[{"cidr":"10.0.0.0/32"}]}`:       "IPv4 mask bits must be < 32",
		`{"a":[{"cidr":"10.0.0.256/8"}]}`:      "Invalid IP address: 10.0.0.256",
		`{"$or":[{"a":[1]}]}`:                  "There must have at least 2 Objects in $or relationship.",
		`{"$or":{"a":[1]}}`:                    "It must be an Array followed with $or.",
		`{"$or":[1,2]}`:                        "Only JSON object is allowed in array of $or relationship.",
		`{"$or":[{"prefix":[1]},{"b":[2]}]}`:   "prefix is Ruler reserved fieldName which cannot be used inside $or.",
		`{"a":[1]`:                             "unexpected EOF",
		`{"a":[1]} {}`:                         "Unexpected text after the pattern",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			_, err := eventpattern.Compile([]byte(pattern))
			syntax, ok := errors.AsType[*eventpattern.SyntaxError](err)
			if !ok || syntax.Reason != reason {
				t.Errorf("Compile = %v, want the reason %q", err, reason)
			}
		})
	}
}

func TestParseRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	if _, err := eventpattern.Parse([]byte(`["a"]`)); !errors.Is(err, eventpattern.ErrNotObject) {
		t.Errorf("Parse of an array = %v, want ErrNotObject", err)
	}
	for _, text := range []string{``, `{`, `{"a":}`, `{"a":1}x`} {
		if _, err := eventpattern.Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%q) succeeded", text)
		}
	}
}

func FuzzCompileAndMatch(f *testing.F) {
	f.Add(`{"a":["x",1,null,{"exists":false}]}`, `{"a":[{"b":1},[2,"x"],{}]}`)
	f.Add(`{"a.b":[{"wildcard":"*a*b\\*"}],"$or":[{"c":[1]},{"d":{"e":[{"cidr":"::/1"}]}}]}`, `{"a":{"b":"aab*"},"c":1.0}`)
	f.Add(`{"a":[{"numeric":[">",0,"<=",5]},{"anything-but":{"prefix":["x"]}}]}`, `{"a":-0.5e1,"":"\u0000","a.":[]}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := eventpattern.Compile([]byte(pattern))
		if err != nil {
			return
		}
		once, err := p.Match([]byte(event))
		if err != nil {
			return
		}
		// White space and being matched again change nothing.
		again, err := p.Match([]byte(" " + event + "\n"))
		if err != nil || once != again {
			t.Errorf("Match = %v, then %v, %v", once, again, err)
		}
	})
}

const typicalEvent = `{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"QuoteRequested","source":"shop.orders",
"account":"000000000000","time":"2026-11-22T00:13:49Z","region":"us-east-1","resources":[],"detail":{"streamId":"order-01J","version":1,
"data":{"customer":"c-1","items":[{"sku":"a-1","price":"12.50","count":2},{"sku":"b-2","price":"7.00","count":1}],"address":{"street":"1 Main St","city":"Springfield","zip":"12345"}},
"metadata":{"commandId":"c","correlationId":"d","traceHeader":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}}}`

func typicalRules(b *testing.B) []*eventpattern.Pattern {
	var rules []*eventpattern.Pattern
	for i := range 10 {
		p, err := eventpattern.Compile(fmt.Appendf(nil, `{"source":["shop.orders"],"detail-type":["OrderPlaced%d","QuoteRequested"],
			"detail":{"data":{"items":{"sku":["b-%d"],"count":[{"numeric":[">",0]}]}}},"replay-name":[{"exists":false}]}`, i, i))
		if err != nil {
			b.Fatal(err)
		}
		rules = append(rules, p)
	}
	return rules
}

// BenchmarkTenRules parses a typical event and matches it against ten rules.
func BenchmarkTenRules(b *testing.B) {
	rules, matches := typicalRules(b), 0
	b.ReportAllocs()
	for b.Loop() {
		e, err := eventpattern.Parse([]byte(typicalEvent))
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range rules {
			if r.MatchEvent(e) {
				matches++
			}
		}
	}
	if matches == 0 {
		b.Fatal("no rule matched")
	}
}

// BenchmarkTenRulesParsed matches an event that is parsed already.
func BenchmarkTenRulesParsed(b *testing.B) {
	rules := typicalRules(b)
	e, err := eventpattern.Parse([]byte(typicalEvent))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range rules {
			r.MatchEvent(e)
		}
	}
}
