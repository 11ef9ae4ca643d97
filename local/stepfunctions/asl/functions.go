package asl

import (
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of the functions' arguments.
const (
	maxRange  = 1000
	maxString = 10_000
)

// function is an intrinsic function that takes from least to most arguments; most is -1 if there is no limit.
type function struct {
	least, most int
	eval        func(args []any) (any, error)
	// format reports whether the function reads the escapes of literal texts itself.
	format bool
}

func (f function) apply(args []any) (any, error) {
	for i, arg := range args {
		if t, ok := arg.(template); ok && !(f.format && i == 0) {
			args[i] = t.plain()
		}
	}
	return f.eval(args)
}

var functions = map[string]function{
	"States.Array":          {least: 0, most: -1, eval: func(args []any) (any, error) { return args, nil }},
	"States.ArrayPartition": {least: 2, most: 2, eval: arrayPartition},
	"States.ArrayContains":  {least: 2, most: 2, eval: arrayContains},
	"States.ArrayRange":     {least: 3, most: 3, eval: arrayRange},
	"States.ArrayGetItem":   {least: 2, most: 2, eval: arrayGetItem},
	"States.ArrayLength":    {least: 1, most: 1, eval: arrayLength},
	"States.ArrayUnique":    {least: 1, most: 1, eval: arrayUnique},
	"States.Base64Encode":   {least: 1, most: 1, eval: base64Encode},
	"States.Base64Decode":   {least: 1, most: 1, eval: base64Decode},
	"States.Hash":           {least: 2, most: 2, eval: hashOf},
	"States.JsonMerge":      {least: 3, most: 3, eval: jsonMerge},
	"States.StringToJson":   {least: 1, most: 1, eval: stringToJSON},
	"States.JsonToString":   {least: 1, most: 1, eval: jsonToString},
	"States.MathRandom":     {least: 2, most: 3, eval: mathRandom},
	"States.MathAdd":        {least: 2, most: 2, eval: mathAdd},
	"States.StringSplit":    {least: 2, most: 2, eval: stringSplit},
	"States.UUID":           {least: 0, most: 0, eval: uuid},
	"States.Format":         {least: 1, most: -1, eval: format, format: true},
}

func argument[T any](args []any, i int) (T, error) {
	v, ok := args[i].(T)
	if !ok {
		return v, fmt.Errorf("argument %d has a type that is not allowed: %s", i+1, Encode(args[i]))
	}
	return v, nil
}

// whole reads argument i as an integer; a fraction is rounded half up.
func whole(args []any, i int) (int64, error) {
	n, err := argument[json.Number](args, i)
	if err != nil {
		return 0, err
	}
	if v, err := n.Int64(); err == nil {
		return v, nil
	}
	f, err := n.Float64()
	if err != nil || math.Abs(f) >= math.MaxInt64 {
		return 0, fmt.Errorf("argument %d is out of range: %s", i+1, n)
	}
	return int64(math.Floor(f + 0.5)), nil
}

func number(i int64) json.Number { return json.Number(strconv.FormatInt(i, 10)) }

func arrayPartition(args []any) (any, error) {
	list, err := argument[[]any](args, 0)
	if err != nil {
		return nil, err
	}
	size, err := whole(args, 1)
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, errors.New("the chunk size must be positive")
	}
	chunks := []any{}
	for chunk := range slices.Chunk(list, int(min(size, math.MaxInt32))) {
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

func arrayContains(args []any) (any, error) {
	list, err := argument[[]any](args, 0)
	if err != nil {
		return nil, err
	}
	return slices.ContainsFunc(list, func(v any) bool { return equal(v, args[1]) }), nil
}

func arrayRange(args []any) (any, error) {
	first, err := whole(args, 0)
	if err != nil {
		return nil, err
	}
	last, err := whole(args, 1)
	if err != nil {
		return nil, err
	}
	by, err := whole(args, 2)
	if err != nil {
		return nil, err
	}
	if by == 0 {
		return nil, errors.New("the increment must not be 0")
	}
	list := []any{}
	for i := first; by > 0 && i <= last || by < 0 && i >= last; i += by {
		if len(list) == maxRange {
			return nil, fmt.Errorf("the range has more than %d items", maxRange)
		}
		list = append(list, number(i))
		if by > 0 && i > math.MaxInt64-by || by < 0 && i < math.MinInt64-by {
			break
		}
	}
	return list, nil
}

func arrayGetItem(args []any) (any, error) {
	list, err := argument[[]any](args, 0)
	if err != nil {
		return nil, err
	}
	i, err := whole(args, 1)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(list)) {
		return nil, fmt.Errorf("there is no item %d in a list of %d", i, len(list))
	}
	return list[i], nil
}

func arrayLength(args []any) (any, error) {
	list, err := argument[[]any](args, 0)
	return number(int64(len(list))), err
}

func arrayUnique(args []any) (any, error) {
	list, err := argument[[]any](args, 0)
	if err != nil {
		return nil, err
	}
	unique := []any{}
	for _, v := range list {
		if !slices.ContainsFunc(unique, func(u any) bool { return equal(u, v) }) {
			unique = append(unique, v)
		}
	}
	return unique, nil
}

// bounded reads argument i as a string that is not too long for coding and hashing.
func bounded(args []any, i int) (string, error) {
	s, err := argument[string](args, i)
	if err == nil && utf8.RuneCountInString(s) > maxString {
		err = fmt.Errorf("argument %d has more than %d characters", i+1, maxString)
	}
	return s, err
}

func base64Encode(args []any) (any, error) {
	s, err := bounded(args, 0)
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

func base64Decode(args []any) (any, error) {
	s, err := bounded(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return strings.ToValidUTF8(string(b), "\uFFFD"), err
}

func hashOf(args []any) (any, error) {
	text := Encode(args[0])
	if s, ok := args[0].(string); ok {
		text = s
	}
	if utf8.RuneCountInString(text) > maxString {
		return nil, fmt.Errorf("argument 1 has more than %d characters", maxString)
	}
	algorithm, err := argument[string](args, 1)
	if err != nil {
		return nil, err
	}
	var h hash.Hash
	switch algorithm {
	case "MD5":
		h = md5.New()
	case "SHA-1":
		h = sha1.New()
	case "SHA-256":
		h = sha256.New()
	case "SHA-384":
		h = sha512.New384()
	case "SHA-512":
		h = sha512.New()
	default:
		return nil, fmt.Errorf("%q is not a hash algorithm", algorithm)
	}
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)), nil
}

func jsonMerge(args []any) (any, error) {
	a, err := argument[map[string]any](args, 0)
	if err != nil {
		return nil, err
	}
	b, err := argument[map[string]any](args, 1)
	if err != nil {
		return nil, err
	}
	if deep, err := argument[bool](args, 2); err != nil || deep {
		return nil, errors.New("only a shallow merge is supported: argument 3 must be false")
	}
	merged := maps.Clone(a)
	maps.Copy(merged, b)
	return merged, nil
}

func stringToJSON(args []any) (any, error) {
	s, err := argument[string](args, 0)
	if err != nil {
		return nil, err
	}
	v, err := Decode(s)
	if err != nil {
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}
	return v, nil
}

func jsonToString(args []any) (any, error) { return Encode(args[0]), nil }

func mathRandom(args []any) (any, error) {
	from, err := whole(args, 0)
	if err != nil {
		return nil, err
	}
	to, err := whole(args, 1)
	if err != nil {
		return nil, err
	}
	if from >= to || to-from < 0 {
		return nil, errors.New("the end must be greater than the start")
	}
	if len(args) < 3 {
		return number(from + rand.Int64N(to-from)), nil
	}
	seed, err := whole(args, 2)
	if err != nil {
		return nil, err
	}
	return number(from + rand.New(rand.NewPCG(uint64(seed), 0)).Int64N(to-from)), nil
}

func mathAdd(args []any) (any, error) {
	a, err := whole(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := whole(args, 1)
	return number(a + b), err
}

// stringSplit splits at every character of the second argument and drops what is empty.
func stringSplit(args []any) (any, error) {
	s, err := argument[string](args, 0)
	if err != nil {
		return nil, err
	}
	at, err := argument[string](args, 1)
	if err != nil {
		return nil, err
	}
	parts := []any{}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(at, r) }) {
		parts = append(parts, part)
	}
	return parts, nil
}

func uuid([]any) (any, error) {
	var b [16]byte
	crand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

func format(args []any) (any, error) {
	var text string
	escapes := false
	switch t := args[0].(type) {
	case template:
		text, escapes = string(t), true
	case string:
		text = t
	default:
		return nil, errors.New("argument 1 must be a string")
	}
	var b strings.Builder
	used := 1
	for i := 0; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
			b.WriteByte(text[i])
		case strings.HasPrefix(text[i:], "{}"):
			if used == len(args) {
				return nil, errors.New("there are more {} than arguments")
			}
			b.WriteString(display(args[used]))
			used++
			i++
		default:
			b.WriteByte(text[i])
		}
	}
	if used != len(args) {
		return nil, errors.New("there are fewer {} than arguments")
	}
	return b.String(), nil
}

// display writes a value as AWS puts it into a formatted text, which is not JSON.
func display(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = display(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+"="+display(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return Encode(v)
}
