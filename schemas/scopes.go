package schemas

import (
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Scopes returns those of which a token needs one to use a route, such as "GET /quotes/{quoteId}", as the OpenAPI
// document says. A route that is open to everyone has none.
func Scopes(route string) ([]string, error) {
	routes, err := scopes()
	if err != nil {
		return nil, err
	}
	of, ok := routes[route]
	if !ok {
		return nil, fmt.Errorf("the OpenAPI document has no route %s", route)
	}
	return of, nil
}

var scopes = sync.OnceValues(func() (map[string][]string, error) {
	var doc struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}
	if err := yaml.Unmarshal(OpenAPI(), &doc); err != nil {
		return nil, err
	}
	routes := map[string][]string{}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			all := []string{}
			for _, either := range operation.Security {
				all = append(all, either["token"]...)
			}
			routes[strings.ToUpper(method)+" "+path] = all
		}
	}
	return routes, nil
})
