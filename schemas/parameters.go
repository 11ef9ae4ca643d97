package schemas

import (
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Parameters says which query parameters a route takes.
type Parameters struct {
	Names []string
	// PassesOver says that others are passed over, and not refused.
	PassesOver bool
}

// QueryParameters returns which query parameters a route takes, such as "GET /quotes/{quoteId}", as the OpenAPI
// document describes them.
func QueryParameters(route string) (Parameters, error) {
	routes, err := queryParameters()
	if err != nil {
		return Parameters{}, err
	}
	p, ok := routes[route]
	if !ok {
		return Parameters{}, fmt.Errorf("the OpenAPI document has no route %s", route)
	}
	return p, nil
}

// parameter is one of an operation, or a reference to one that operations share.
type parameter struct {
	Name, In string
	Ref      string `yaml:"$ref"`
}

// queryParameters are those of all routes. The document is read when the first request has a parameter.
var queryParameters = sync.OnceValues(func() (map[string]Parameters, error) {
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []parameter
			PassesOver bool `yaml:"x-passes-over-parameters"`
		}
		Components struct{ Parameters map[string]parameter }
	}
	if err := yaml.Unmarshal(OpenAPI(), &doc); err != nil {
		return nil, err
	}
	routes := map[string]Parameters{}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			names := []string{}
			for _, p := range operation.Parameters {
				if shared, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					p = doc.Components.Parameters[shared]
				}
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			routes[strings.ToUpper(method)+" "+path] = Parameters{Names: names, PassesOver: operation.PassesOver}
		}
	}
	return routes, nil
})
