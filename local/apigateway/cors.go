package apigateway

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS says which pages of other origins may call the API. The gateway then answers preflight
// requests itself, and sets the CORS headers of all responses instead of the functions.
type CORS struct {
	// AllowOrigins has origins, or *, or https://* and http://* for all of one scheme.
	AllowOrigins     []string
	AllowMethods     []string
	AllowHeaders     []string
	ExposeHeaders    []string
	MaxAge           time.Duration
	AllowCredentials bool
}

func (c *CORS) check() error {
	if c.AllowCredentials && slices.Contains(c.AllowOrigins, "*") {
		return errors.New("CORS: credentials are not allowed together with all origins")
	}
	return nil
}

// answer sets the CORS headers of a response; a preflight request is then answered, which it
// reports.
func (c *CORS) answer(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if allowed := c.origin(origin); allowed != "" {
		h := w.Header()
		set := func(name string, values []string) {
			if len(values) > 0 {
				h.Set(name, strings.Join(values, ","))
			}
		}
		h.Set("Access-Control-Allow-Origin", allowed)
		if allowed != "*" {
			h.Add("Vary", "Origin")
		}
		if c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if preflight {
			set("Access-Control-Allow-Methods", c.AllowMethods)
			set("Access-Control-Allow-Headers", c.AllowHeaders)
			if c.MaxAge > 0 {
				h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge.Seconds())))
			}
		} else {
			set("Access-Control-Expose-Headers", c.ExposeHeaders)
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}

// origin is the Access-Control-Allow-Origin for a page of the given origin, "" for none.
func (c *CORS) origin(origin string) string {
	for _, allowed := range c.AllowOrigins {
		scheme, all := strings.CutSuffix(allowed, "*")
		switch {
		case allowed == "*":
			return "*"
		case allowed == origin, all && strings.HasPrefix(origin, scheme):
			return origin
		}
	}
	return ""
}
