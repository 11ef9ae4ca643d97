// Package registry plays the reads of Amazon EventBridge's schema registry: the registries of a template with their
// schemas, of which each has one version. They come from a template: the calls that change them are refused by name.
package registry

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"milepost/local/awsapi"
	"milepost/local/template"
)

// Prefix begins the paths of the calls that a Service answers.
const Prefix = "/v1/registries"

const (
	maxPage = 100 // items, also if no limit is given
	version = "1" // the one version of each schema
)

// Service answers for the registries of one stack. It never changes.
type Service struct {
	mux        *http.ServeMux
	made       string
	registries []*registry
}

type registry struct {
	RegistryName, Description string
	Tags                      []tag

	arn     string
	schemas []*schema
}

type schema struct {
	RegistryName, SchemaName, Description, Type, Content string
	Tags                                                 []tag

	arn string
}

type tag struct{ Key, Value string }

type object map[string]any

// New reads the registries of a template, which were made at an instant.
func New(t *template.Template, made time.Time) (*Service, error) {
	s := &Service{made: made.UTC().Format("2006-01-02T15:04:05Z")}
	for _, r := range t.OfType("AWS::EventSchemas::Registry") {
		one := &registry{arn: r.ARN}
		if err := r.Decode(one); err != nil {
			return nil, err
		}
		one.RegistryName = r.Attributes["RegistryName"] // CloudFormation makes one if the template has none
		s.registries = append(s.registries, one)
	}
	for _, r := range t.OfType("AWS::EventSchemas::Schema") {
		one := &schema{}
		if err := r.Decode(one); err != nil {
			return nil, err
		}
		if one.SchemaName == "" {
			one.SchemaName = r.PhysicalID
		}
		in, err := s.find(one.RegistryName)
		if err != nil {
			return nil, r.Problem("the template has no registry of this name", "RegistryName")
		}
		one.arn = awsapi.ARN("schemas", "schema/"+one.RegistryName+"/"+one.SchemaName)
		in.schemas = append(in.schemas, one)
	}
	s.serve()
	return s, nil
}

func (s *Service) serve() {
	const one = Prefix + "/name/{registry}"
	s.mux = http.NewServeMux()
	s.handle("GET "+Prefix, "ListRegistries", s.listRegistries, "registryNamePrefix", "scope", "limit", "nextToken")
	s.handle("GET "+one, "DescribeRegistry", s.describeRegistry)
	s.handle("GET "+one+"/schemas", "ListSchemas", s.listSchemas, "schemaNamePrefix", "limit", "nextToken")
	s.handle("GET "+one+"/schemas/search", "SearchSchemas", s.searchSchemas, "keywords", "limit", "nextToken")
	s.handle("GET "+one+"/schemas/name/{schema}", "DescribeSchema", s.describeSchema, "schemaVersion")
	s.handle("GET "+one+"/schemas/name/{schema}/versions", "ListSchemaVersions", s.listVersions, "limit", "nextToken")
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		awsapi.WriteError(w, awsapi.Unsupported("the call of the schema registry "+r.Method+" "+r.URL.Path))
	})
}

// handle answers an operation, whose query may have some parameters, once IAM allows it.
func (s *Service) handle(pattern, operation string, answer func(*http.Request, url.Values) (any, error), parameters ...string) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := func() (any, error) {
			if err := awsapi.Authorize(r.Context(), "schemas:"+operation, resource(r)); err != nil {
				return nil, failure(http.StatusForbidden, "ForbiddenException", "AccessDenied", awsapi.AsError(err).Message)
			}
			query := r.URL.Query()
			for name := range query {
				if !slices.Contains(parameters, name) {
					return nil, awsapi.Unsupported("the query parameter " + name)
				}
			}
			return answer(r, query)
		}()
		if err != nil {
			awsapi.WriteError(w, awsapi.AsError(err))
			return
		}
		awsapi.WriteJSON(w, http.StatusOK, body)
	})
}

// resource is the ARN of what a request reads.
func resource(r *http.Request) string {
	name, schema := r.PathValue("registry"), r.PathValue("schema")
	switch {
	case schema != "":
		return awsapi.ARN("schemas", "schema/"+name+"/"+schema)
	case name != "":
		return awsapi.ARN("schemas", "registry/"+name)
	}
	return awsapi.ARN("schemas", "registry/*")
}

// ServeHTTP answers a call of the registry.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func failure(status int, kind, code, text string) error {
	return &awsapi.Error{Code: kind, Status: status, Message: text, Fields: map[string]any{"Code": code}}
}

func missing(text string) error {
	return failure(http.StatusNotFound, "NotFoundException", "NotFound", text)
}

func (s *Service) find(name string) (*registry, error) {
	for _, r := range s.registries {
		if r.RegistryName == name {
			return r, nil
		}
	}
	return nil, missing("Registry with name " + name + " does not exist.")
}

func (s *Service) findSchema(r *http.Request) (*schema, error) {
	in, err := s.find(r.PathValue("registry"))
	if err != nil {
		return nil, err
	}
	for _, one := range in.schemas {
		if one.SchemaName == r.PathValue("schema") {
			return one, nil
		}
	}
	return nil, missing("Schema with name " + r.PathValue("schema") + " does not exist.")
}

func (s *Service) listRegistries(_ *http.Request, query url.Values) (any, error) {
	var all []object
	switch scope := query.Get("scope"); strings.ToUpper(scope) {
	case "", "LOCAL":
		for _, r := range s.registries {
			if strings.HasPrefix(r.RegistryName, query.Get("registryNamePrefix")) {
				all = append(all, object{"RegistryArn": r.arn, "RegistryName": r.RegistryName, "tags": tagMap(r.Tags)})
			}
		}
	case "AWS": // AWS's own are not here
	default:
		return nil, badRequest("The scope is LOCAL or AWS, not " + scope + ".")
	}
	return page(query, "Registries", all)
}

func (s *Service) describeRegistry(r *http.Request, _ url.Values) (any, error) {
	one, err := s.find(r.PathValue("registry"))
	if err != nil {
		return nil, err
	}
	return object{"RegistryArn": one.arn, "RegistryName": one.RegistryName, "Description": one.Description, "tags": tagMap(one.Tags)}, nil
}

func (s *Service) listSchemas(r *http.Request, query url.Values) (any, error) {
	in, err := s.find(r.PathValue("registry"))
	if err != nil {
		return nil, err
	}
	var all []object
	for _, one := range in.schemas {
		if strings.HasPrefix(one.SchemaName, query.Get("schemaNamePrefix")) {
			all = append(all, object{"SchemaArn": one.arn, "SchemaName": one.SchemaName, "LastModified": s.made, "VersionCount": 1, "tags": tagMap(one.Tags)})
		}
	}
	return page(query, "Schemas", all)
}

// searchSchemas finds the schemas that have all words in their name or their content, whatever their case.
func (s *Service) searchSchemas(r *http.Request, query url.Values) (any, error) {
	in, err := s.find(r.PathValue("registry"))
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(query.Get("keywords")))
	if len(words) == 0 {
		return nil, badRequest("Keywords are missing.")
	}
	var all []object
	for _, one := range in.schemas {
		if one.has(words) {
			all = append(all, object{"RegistryName": one.RegistryName, "SchemaArn": one.arn, "SchemaName": one.SchemaName,
				"SchemaVersions": []object{{"SchemaVersion": version, "CreatedDate": s.made, "Type": one.Type}}})
		}
	}
	return page(query, "Schemas", all)
}

func (s *schema) has(words []string) bool {
	text := strings.ToLower(s.SchemaName + " " + s.Content)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (s *Service) describeSchema(r *http.Request, query url.Values) (any, error) {
	one, err := s.findSchema(r)
	if err != nil {
		return nil, err
	}
	if v := query.Get("schemaVersion"); v != "" && v != version {
		return nil, missing("Schema version " + v + " of " + one.SchemaName + " does not exist.")
	}
	return object{
		"SchemaArn": one.arn, "SchemaName": one.SchemaName, "Description": one.Description, "Type": one.Type, "Content": one.Content,
		"SchemaVersion": version, "VersionCreatedDate": s.made, "LastModified": s.made, "tags": tagMap(one.Tags),
	}, nil
}

func (s *Service) listVersions(r *http.Request, query url.Values) (any, error) {
	one, err := s.findSchema(r)
	if err != nil {
		return nil, err
	}
	return page(query, "SchemaVersions", []object{{"SchemaArn": one.arn, "SchemaName": one.SchemaName, "SchemaVersion": version, "Type": one.Type}})
}

func tagMap(tags []tag) map[string]string {
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		all[t.Key] = t.Value
	}
	return all
}

func badRequest(text string) error {
	return failure(http.StatusBadRequest, "BadRequestException", "BadRequest", text)
}

// page cuts a list as the query asks. A token is how many came before.
func page(query url.Values, member string, all []object) (any, error) {
	size, after := maxPage, 0
	var err error
	if limit := query.Get("limit"); limit != "" {
		if size, err = strconv.Atoi(limit); err != nil || size < 1 || size > maxPage {
			return nil, badRequest("The limit is 1 to " + strconv.Itoa(maxPage) + ", not " + limit + ".")
		}
	}
	if token := query.Get("nextToken"); token != "" {
		if after, err = strconv.Atoi(token); err != nil || after < 0 || after > len(all) {
			return nil, badRequest("The token " + token + " is invalid.")
		}
	}
	rest := append([]object{}, all[after:]...)
	answer := object{member: rest}
	if len(rest) > size {
		answer[member], answer["NextToken"] = rest[:size], strconv.Itoa(after+size)
	}
	return answer, nil
}
