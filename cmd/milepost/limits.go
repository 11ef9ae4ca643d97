package main

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// Validate is called by the parser, before a command's own checks. It refuses a number or a duration outside the tags
// min and max of its flag. Every flag of these types has them.
func (*commands) Validate(command *kong.Context) error {
	for _, flag := range command.Flags() {
		if !flag.Set || !limited(flag.Value) {
			continue
		}
		low, high, err := limits(flag.Value)
		if err != nil {
			return err
		}
		if n := flag.Target.Int(); n < low || n > high {
			return fmt.Errorf("--%s must be from %s to %s, and is %v", flag.Name, flag.Tag.Get("min"), flag.Tag.Get("max"), flag.Target)
		}
	}
	return nil
}

// limited reports whether a value is a plain number or a duration. Our own types refuse what they do not accept.
func limited(v *kong.Value) bool {
	return v.Target.Type() == reflect.TypeFor[int]() || v.Target.Type() == reflect.TypeFor[time.Duration]()
}

// limits reads the tags min and max.
func limits(v *kong.Value) (low, high int64, err error) {
	read := func(tag string) (int64, error) {
		text := v.Tag.Get(tag)
		if v.Target.Type() == reflect.TypeFor[time.Duration]() {
			d, err := time.ParseDuration(text)
			return int64(d), err
		}
		return strconv.ParseInt(text, 10, 64)
	}
	if low, err = read("min"); err == nil {
		high, err = read("max")
	}
	if err != nil {
		return 0, 0, fmt.Errorf("the limits of %s: %w", v.Name, err)
	}
	return low, high, nil
}
