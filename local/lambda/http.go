package lambda

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"milepost/local/awsapi"
	"milepost/local/xray"
)

// NewHTTP is the REST face of a Service: Invoke, ListFunctions, GetFunction,
// GetFunctionConfiguration, GetPolicy, ListEventSourceMappings and GetEventSourceMapping. Other calls are
// refused by name. Here, and not in the Go methods, the caller's permissions are checked.
func NewHTTP(s *Service) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := answer(w, r); err != nil {
				awsapi.WriteError(w, awsapi.AsError(err))
			}
		})
	}
	const functions, mappings = "/2015-03-31/functions", "/2015-03-31/event-source-mappings"
	handle("POST "+functions+"/{name}/invocations", s.serveInvoke)
	for _, end := range []string{"", "/{$}"} { // clients differ about the slash
		handle("GET "+functions+end, s.serveListFunctions)
		handle("GET "+mappings+end, s.serveListMappings)
	}
	handle("GET "+functions+"/{name}", s.serveFunction)
	handle("GET "+functions+"/{name}/configuration", s.serveConfiguration)
	handle("GET "+functions+"/{name}/policy", s.servePolicy)
	handle("GET "+mappings+"/{uuid}", s.serveMapping)
	handle("/", func(_ http.ResponseWriter, r *http.Request) error {
		return awsapi.Unsupported("the Lambda call " + r.Method + " " + r.URL.Path)
	})
	return mux
}

func (s *Service) serveInvoke(w http.ResponseWriter, r *http.Request) error {
	f, err := s.authorized(r, "lambda:InvokeFunction")
	if err != nil {
		return err
	}
	for _, name := range []string{"X-Amz-Client-Context", "X-Amz-Tenant-Id", "X-Amz-Durable-Execution-Name"} {
		if r.Header.Get(name) != "" {
			return awsapi.Unsupported("the header " + name)
		}
	}
	logType := r.Header.Get("X-Amz-Log-Type")
	if err := awsapi.CheckEnum("logType", logType, "Tail", "None"); err != nil {
		return err
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if _, over := errors.AsType[*http.MaxBytesError](err); over || len(payload) > maxRequest {
		return tooLarge(maxRequest)
	}
	if err != nil {
		return awsapi.Errorf("InvalidRequestContentException", "read the payload: %v", err)
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return &awsapi.Error{Code: "InvalidRequestContentException", Fields: map[string]any{"Type": "User"},
			Message: "Could not parse request body into json"}
	}
	ctx := r.Context()
	if h := r.Header.Get(xray.HeaderName); h != "" && awsapi.TraceHeader(ctx) == "" {
		ctx = awsapi.WithTraceHeader(ctx, h)
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
		var end tail
		if logType == "Tail" {
			ctx = withTail(ctx, &end)
		}
		result, err := s.Invoke(ctx, f.Name, payload)
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("X-Amzn-Requestid", result.RequestID)
		h.Set("X-Amz-Executed-Version", result.ExecutedVersion)
		if logType == "Tail" {
			h.Set("X-Amz-Log-Result", end.encoded())
		}
		if result.FunctionError != "" {
			h.Set("X-Amz-Function-Error", result.FunctionError)
		}
		h.Set("Content-Length", strconv.Itoa(len(result.Payload)))
		_, _ = w.Write(result.Payload) // the client may be gone
	case "Event":
		requestID, err := s.accept(ctx, f.Name, payload)
		if err != nil {
			return err
		}
		w.Header().Set("X-Amzn-Requestid", requestID)
		w.WriteHeader(http.StatusAccepted)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		return awsapi.Errorf("InvalidParameterValueException", "Unknown invocation type %q", kind)
	}
	return nil
}

// authorized finds the function in the path and checks that the caller may do action with it. The permission is checked
// first, so that callers without it do not learn which functions exist.
func (s *Service) authorized(r *http.Request, action string) (*function, error) {
	name := r.PathValue("name")
	f, missing := s.find(name)
	arn := name
	switch {
	case f != nil:
		arn = f.arn
	case !strings.HasPrefix(name, "arn:"):
		arn = awsapi.ARN("lambda", "function:"+name)
	}
	if err := awsapi.Authorize(r.Context(), action, arn); err != nil {
		return nil, err
	}
	if q := r.URL.Query().Get("Qualifier"); missing == nil && q != "" && q != latest {
		_, missing = s.find(arn + ":" + q)
	}
	return f, missing
}

func (s *Service) serveListFunctions(w http.ResponseWriter, r *http.Request) error {
	if err := awsapi.Authorize(r.Context(), "lambda:ListFunctions", "*"); err != nil {
		return err
	}
	s.mu.RLock()
	list := make([]configuration, 0, len(s.names))
	for _, name := range s.names {
		list = append(list, s.functions[name].configuration())
	}
	s.mu.RUnlock()
	list, next, err := page(r, list)
	if err != nil {
		return err
	}
	awsapi.WriteJSON(w, http.StatusOK, map[string]any{"Functions": list, "NextMarker": next})
	return nil
}

func (s *Service) serveFunction(w http.ResponseWriter, r *http.Request) error {
	f, err := s.authorized(r, "lambda:GetFunction")
	if err != nil {
		return err
	}
	answer := map[string]any{"Configuration": f.configuration()}
	if f.ReservedConcurrency != nil {
		answer["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *f.ReservedConcurrency}
	}
	awsapi.WriteJSON(w, http.StatusOK, answer)
	return nil
}

func (s *Service) serveConfiguration(w http.ResponseWriter, r *http.Request) error {
	f, err := s.authorized(r, "lambda:GetFunctionConfiguration")
	if err != nil {
		return err
	}
	awsapi.WriteJSON(w, http.StatusOK, f.configuration())
	return nil
}

// servePolicy answers who may call a function.
func (s *Service) servePolicy(w http.ResponseWriter, r *http.Request) error {
	f, err := s.authorized(r, "lambda:GetPolicy")
	if err != nil {
		return err
	}
	var policy string
	if s.cfg.Policy != nil {
		policy = s.cfg.Policy(f.arn)
	}
	if policy == "" {
		return &awsapi.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound,
			Message: "The resource you requested does not exist.", Fields: map[string]any{"Type": "User"}}
	}
	sum := sha256.Sum256([]byte(policy)) // a revision is of one text
	awsapi.WriteJSON(w, http.StatusOK, map[string]string{"Policy": policy, "RevisionId": formatUUID([16]byte(sum[:16]))})
	return nil
}

// configuration is a FunctionConfiguration, without what only deployed code has.
type configuration struct {
	FunctionName     string
	Description      string
	FunctionARN      string `json:"FunctionArn"`
	Runtime          string
	Role             string
	Handler          string
	Timeout          int // seconds
	MemorySize       int
	LastModified     string
	Version          string
	PackageType      string
	State            string
	LastUpdateStatus string
	Environment      struct{ Variables map[string]string }
	TracingConfig    struct{ Mode string }
	LoggingConfig    struct{ LogFormat, LogGroup string }
}

func (f *function) configuration() configuration {
	c := configuration{
		FunctionName: f.Name, Description: f.Description, FunctionARN: f.arn, Runtime: "provided.al2023", Role: f.RoleARN, Handler: f.HandlerName,
		Timeout: int(f.Timeout.Seconds()), MemorySize: f.MemorySize,
		LastModified: f.created.UTC().Format("2006-01-02T15:04:05.000-0700"), Version: latest,
		PackageType: "Zip", State: "Active", LastUpdateStatus: "Successful",
	}
	c.Environment.Variables = f.Environment
	c.LoggingConfig.LogFormat, c.LoggingConfig.LogGroup = cmp.Or(f.LogFormat, "Text"), cmp.Or(f.LogGroup, "/aws/lambda/"+f.Name)
	c.TracingConfig.Mode = "PassThrough"
	if f.Tracing {
		c.TracingConfig.Mode = "Active"
	}
	return c
}

func (s *Service) serveListMappings(w http.ResponseWriter, r *http.Request) error {
	if err := awsapi.Authorize(r.Context(), "lambda:ListEventSourceMappings", "*"); err != nil {
		return err
	}
	q := r.URL.Query()
	source, functionARN := q.Get("EventSourceArn"), ""
	if name := q.Get("FunctionName"); name != "" {
		f, err := s.find(name)
		if err != nil {
			return err
		}
		functionARN = f.arn
	}
	list := []mappingConfiguration{}
	s.mu.RLock()
	for _, m := range s.mappings {
		if (source == "" || m.StreamARN == source) && (functionARN == "" || m.function.arn == functionARN) {
			list = append(list, m.configuration())
		}
	}
	s.mu.RUnlock()
	list, next, err := page(r, list)
	if err != nil {
		return err
	}
	awsapi.WriteJSON(w, http.StatusOK, map[string]any{"EventSourceMappings": list, "NextMarker": next})
	return nil
}

func (s *Service) serveMapping(w http.ResponseWriter, r *http.Request) error {
	uuid := r.PathValue("uuid")
	if err := awsapi.Authorize(r.Context(), "lambda:GetEventSourceMapping", mappingARN(uuid)); err != nil {
		return err
	}
	s.mu.RLock()
	i := slices.IndexFunc(s.mappings, func(m *mapping) bool { return m.uuid == uuid })
	var found mappingConfiguration
	if i >= 0 {
		found = s.mappings[i].configuration()
	}
	s.mu.RUnlock()
	if i < 0 {
		return &awsapi.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound,
			Message: "The resource you requested does not exist.", Fields: map[string]any{"Type": "User"}}
	}
	awsapi.WriteJSON(w, http.StatusOK, found)
	return nil
}

func mappingARN(uuid string) string { return awsapi.ARN("lambda", "event-source-mapping:"+uuid) }

// mappingConfiguration is an EventSourceMappingConfiguration.
type mappingConfiguration struct {
	UUID                           string
	EventSourceMappingARN          string `json:"EventSourceMappingArn"`
	EventSourceARN                 string `json:"EventSourceArn"`
	FunctionARN                    string `json:"FunctionArn"`
	State                          string
	StateTransitionReason          string
	LastModified                   float64 // epoch seconds
	StartingPosition               string
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	ParallelizationFactor          int
	BisectBatchOnFunctionError     bool
	MaximumRetryAttempts           int
	MaximumRecordAgeInSeconds      int
	FunctionResponseTypes          []string
	DestinationConfig              *destinationConfig `json:",omitempty"`
	FilterCriteria                 *filterCriteria    `json:",omitempty"`
}

type destinationConfig struct {
	OnFailure struct{ Destination string }
}

type filterCriteria struct {
	Filters []struct{ Pattern string }
}

func (m *mapping) configuration() mappingConfiguration {
	c := mappingConfiguration{
		UUID: m.uuid, EventSourceMappingARN: mappingARN(m.uuid), EventSourceARN: m.StreamARN, FunctionARN: m.function.arn,
		State: "Enabled", StateTransitionReason: "User action", LastModified: xray.Seconds(m.created),
		StartingPosition: m.StartingPosition, BatchSize: m.BatchSize,
		MaximumBatchingWindowInSeconds: int(m.MaximumBatchingWindow.Seconds()),
		ParallelizationFactor:          m.ParallelizationFactor, BisectBatchOnFunctionError: m.BisectBatchOnFunctionError,
		MaximumRetryAttempts: m.retries, MaximumRecordAgeInSeconds: -1,
		FunctionResponseTypes: append([]string{}, m.FunctionResponseTypes...),
	}
	if m.Disabled {
		c.State = "Disabled"
	}
	if m.MaximumRecordAge > 0 {
		c.MaximumRecordAgeInSeconds = int(m.MaximumRecordAge.Seconds())
	}
	if m.OnFailure != "" {
		c.DestinationConfig = &destinationConfig{}
		c.DestinationConfig.OnFailure.Destination = m.OnFailure
	}
	if len(m.FilterCriteria) > 0 {
		c.FilterCriteria = &filterCriteria{}
		for _, pattern := range m.FilterCriteria {
			c.FilterCriteria.Filters = append(c.FilterCriteria.Filters, struct{ Pattern string }{pattern})
		}
	}
	return c
}

const maxPage = 50

// page returns the part of list that the query requests, and the marker of the next one (nil when there is none).
func page[T any](r *http.Request, list []T) ([]T, any, error) {
	number := func(name string, otherwise int) (int, error) {
		text := r.URL.Query().Get(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, awsapi.Errorf("InvalidParameterValueException", "%s %q is not a number", name, text)
		}
		return n, nil
	}
	from, err := number("Marker", 0)
	if err != nil {
		return nil, nil, err
	}
	size, err := number("MaxItems", maxPage)
	if err != nil {
		return nil, nil, err
	}
	list = list[min(from, len(list)):]
	if size = min(size, maxPage); size == 0 || len(list) <= size {
		return list, nil, nil
	}
	return list[:size], strconv.Itoa(from + size), nil
}
