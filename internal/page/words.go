package page

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// words are the functions of templates.
var words = template.FuncMap{
	"asset":  Asset,
	"money":  Money,
	"day":    Day,
	"signed": Signed,
	"at":     At,
	"key":    rand.Text,
	"lower":  strings.ToLower,
	"dict":   dict,
	"add":    func(a, b int) int { return a + b },
}

// Money writes an amount of dollars, such as "1234.5", as people do: $1,234.50. What is no amount stays as it is.
func Money(amount any) string {
	text := fmt.Sprint(amount)
	sign, digits := "", text
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, digits = "−", rest
	}
	whole, cents, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole+cents, "0123456789") != "" || len(cents) > 2 {
		return text
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + "$" + whole + "." + (cents + "00")[:2]
}

// Signed writes a difference of dollars with its sign, such as +$12.00; no difference has none.
func Signed(amount any) string {
	text := Money(amount)
	if strings.HasPrefix(text, "−") || text == "$0.00" || !strings.HasPrefix(text, "$") {
		return text
	}
	return "+" + text
}

// Day writes a civil date, such as 2026-05-15, in words: May 15, 2026. What is no date stays as it is.
func Day(date any) string {
	text := fmt.Sprint(date)
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return d.Format("January 2, 2006")
}

// At writes an instant where a reader is, in words with the zone: May 15, 2026, 3:04 PM EDT. An unknown zone is UTC.
func At(instant time.Time, zone string) string {
	where, err := time.LoadLocation(zone)
	if err != nil {
		where = time.UTC
	}
	return instant.In(where).Format("January 2, 2006, 3:04 PM MST")
}

// dict makes a map for a part that takes several values: {{template "field" dict "Name" "vin" "Label" "VIN"}}.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes pairs, and got %d values", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("the name %v is no text", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
