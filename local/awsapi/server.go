package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// MaxBody is the size of the largest request body that is read, in bytes.
const MaxBody = 16 << 20

// Server is the endpoint of all local services. It routes a call by its X-Amz-Target header to a service that speaks
// AWS JSON 1.0 or 1.1, by the version in its form to one that speaks the query protocol, and by its path to one that
// speaks REST JSON or rpc-v2-cbor. A service that owns all paths gets the requests signed for it.
//
// The access key of the request's signature names the caller. The signature itself is not verified: anyone who reaches
// the endpoint could also use another key.
//
// All Handle calls come before the first request; after that a Server is safe for concurrent use.
type Server struct {
	// Identify returns the identity of an access key, and false for an unknown key. Nil accepts every key as the
	// account itself.
	Identify func(accessKeyID string) (Caller, bool)
	// Before is asked before each operation of a JSON protocol: its error is the answer. Nil lets all through.
	Before func(ctx context.Context, operation string) error

	targets  map[string]target
	binary   map[string]target // those that speak rpc-v2-cbor
	queries  map[string]query  // by the version of their API
	paths    []restPath        // the longest prefix first
	services map[string]restService
}

// restService is a service that has all paths to itself.
type restService struct {
	handler http.Handler
	fail    func(http.ResponseWriter, *http.Request, *Error)
}

type target struct {
	service        Service
	errorNamespace string
	checksum       bool
}

type restPath struct {
	prefix  string
	handler http.Handler
}

// NewServer makes a Server without services.
func NewServer() *Server {
	return &Server{targets: map[string]target{}, binary: map[string]target{}, queries: map[string]query{}, services: map[string]restService{}}
}

// Handle registers the service whose calls carry "X-Amz-Target: targetPrefix.Operation", for
// instance "DynamoDB_20120810". Its error types are sent as "errorNamespace#Code", or bare when
// errorNamespace is "".
func (s *Server) Handle(targetPrefix, errorNamespace string, service Service) {
	s.targets[targetPrefix] = target{service, errorNamespace, strings.HasPrefix(targetPrefix, "DynamoDB")}
}

// HandleREST registers the handler of the paths that begin with pathPrefix, such as
// "/2015-03-31/functions". The longest prefix wins. The handler finds the caller and the trace
// header in the request's context and answers its failures with WriteError.
func (s *Server) HandleREST(pathPrefix string, h http.Handler) {
	s.paths = append(s.paths, restPath{pathPrefix, h})
	slices.SortStableFunc(s.paths, func(a, b restPath) int { return len(b.prefix) - len(a.prefix) })
}

// HandleService registers the handler of a service that owns all paths, such as "s3": it gets the requests that are
// signed for the service, or that go to its name. A caller that cannot be identified is answered by fail.
func (s *Server) HandleService(name string, h http.Handler, fail func(http.ResponseWriter, *http.Request, *Error)) {
	s.services[name] = restService{h, fail}
}

// ServeHTTP answers one AWS call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Amzn-Requestid"] = []string{newRequestID()}
	ctx, identityErr := s.identify(r, w.Header()["X-Amzn-Requestid"][0])
	if h := r.Header.Get("X-Amzn-Trace-Id"); h != "" {
		ctx = WithTraceHeader(ctx, h)
	}
	if name := r.Header.Get("X-Amz-Target"); name != "" {
		s.serveTarget(ctx, identityErr, name, w, r)
		return
	}
	if t, operation, ok := s.cborCall(r); ok {
		s.serveCBOR(ctx, identityErr, t, operation, w, r)
		return
	}
	if rest, ok := s.services[serviceOf(r)]; ok {
		if identityErr != nil {
			identityErr.Status = http.StatusForbidden
			rest.fail(w, r, identityErr)
			return
		}
		rest.handler.ServeHTTP(w, r.WithContext(ctx))
		return
	}
	if isForm(r) {
		s.serveQuery(ctx, identityErr, w, r)
		return
	}
	for _, p := range s.paths {
		if !strings.HasPrefix(r.URL.Path, p.prefix) {
			continue
		}
		if identityErr != nil {
			identityErr.Status = http.StatusForbidden // the JSON services answer some of these with 400
			WriteError(w, identityErr)
			return
		}
		served := r.WithContext(ctx)
		served.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		p.handler.ServeHTTP(w, served)
		return
	}
	WriteError(w, unrouted(r))
}

// serveTarget answers a call of an AWS JSON protocol.
func (s *Server) serveTarget(ctx context.Context, identityErr *Error, name string, w http.ResponseWriter, r *http.Request) {
	prefix, operation := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		prefix, operation = name[:dot], name[dot+1:]
	}
	contentType := r.Header.Get("Content-Type")
	if contentType != "application/x-amz-json-1.1" {
		contentType = "application/x-amz-json-1.0"
	}
	w.Header()["Content-Type"] = []string{contentType}

	t, known := s.targets[prefix]
	switch {
	case operation == "":
		writeTargetError(w, t, Errorf("UnknownOperationException", "the target %q names no operation", name))
		return
	case !known:
		writeTargetError(w, t, Unsupported("the operation "+operation+" of "+serviceName(r, prefix)))
		return
	}
	if identityErr != nil {
		writeTargetError(w, t, identityErr)
		return
	}
	if e := r.Header.Get("Content-Encoding"); e != "" {
		writeTargetError(w, t, Unsupported("the content encoding "+e))
		return
	}
	body, err := ReadBody(r)
	if err != nil {
		writeTargetError(w, t, AsError(err))
		return
	}
	if s.Before != nil {
		if err := s.Before(ctx, operation); err != nil {
			writeTargetError(w, t, AsError(err))
			return
		}
	}
	answer, err := t.service.Call(ctx, operation, body)
	if err != nil {
		writeTargetError(w, t, AsError(err))
		return
	}
	encoded, err := encode(answer)
	if err != nil {
		writeTargetError(w, t, AsError(err))
		return
	}
	writeBody(w, t, http.StatusOK, encoded)
}

// serviceName is how a client calls the service that a request is for; otherwise is what else it may be called.
func serviceName(r *http.Request, otherwise string) string {
	return cmp.Or(serviceOf(r), otherwise, "a service that is not named")
}

// unrouted says why a request without a target belongs to no service.
func unrouted(r *http.Request) *Error {
	service := serviceName(r, "")
	if protocol := r.Header.Get("Smithy-Protocol"); protocol != "" {
		return Unsupported("the protocol " + protocol + " of " + service + ": " + r.Method + " " + r.URL.Path)
	}
	return Unsupported("the path " + r.Method + " " + r.URL.Path + " of " + service)
}

// identify puts the caller into the request's context.
func (s *Server) identify(r *http.Request, requestID string) (context.Context, *Error) {
	ctx := r.Context()
	if c, ok := ctx.Value(presetKey{}).(Caller); ok {
		c.RequestID = requestID
		return WithCaller(ctx, c), nil
	}
	key, err := accessKey(r)
	if err != nil {
		return ctx, err
	}
	if s.Identify == nil {
		return ctx, nil
	}
	c, ok := s.Identify(key)
	if !ok {
		return ctx, Errorf("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	c.RequestID = requestID
	return WithCaller(ctx, c), nil
}

// serviceOf returns the service that a request was signed for; without a signature, the one whose name it goes to: "s3"
// for bucket.s3.us-east-1.amazonaws.com.
func serviceOf(r *http.Request) string {
	if _, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(credential, ",")
		if scope := strings.Split(credential, "/"); len(scope) == 5 { // key, day, region, service, aws4_request
			return scope[3]
		}
	}
	host, found := strings.CutSuffix(hostName(cmp.Or(r.Host, r.URL.Host)), "."+Region+".amazonaws.com")
	if !found {
		return ""
	}
	return host[strings.LastIndexByte(host, '.')+1:]
}

// accessKey is the access key id that a request was signed with.
func accessKey(r *http.Request) (string, *Error) {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return "", &Error{Code: "MissingAuthenticationTokenException", Status: http.StatusForbidden, Message: "Missing Authentication Token"}
	}
	if fields, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 "); ok {
		if _, credential, ok := strings.Cut(fields, "Credential="); ok {
			if key, _, ok := strings.Cut(credential, "/"); ok && key != "" {
				return key, nil
			}
		}
	}
	return "", &Error{Code: "IncompleteSignatureException", Status: http.StatusForbidden,
		Message: "Authorization header requires 'Credential' parameter in an AWS4-HMAC-SHA256 signature."}
}

// ReadBody reads a request's body. Its error is an *Error, for a body above MaxBody one with
// status 413.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	tooLarge := &Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: "the request is larger than " + strconv.Itoa(MaxBody) + " bytes"}
	if r.ContentLength > MaxBody {
		return nil, tooLarge
	}
	var err error
	var body []byte
	if n := r.ContentLength; n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over || len(body) > MaxBody {
		return nil, tooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout, Message: "the request's body is incomplete"}
	}
	if err != nil {
		return nil, Errorf("SerializationException", "read the request: %v", err)
	}
	return body, nil
}

func encode(answer any) ([]byte, error) {
	switch a := answer.(type) {
	case nil:
		return []byte("{}"), nil
	case Raw:
		return a, nil
	case []byte:
		return a, nil
	default:
		return json.Marshal(a)
	}
}

// coralNamespace holds the errors that AWS's frameworks raise before a service is reached.
var coralNamespace = map[string]string{
	"AccessDeniedException":               "com.amazon.coral.service",
	"IncompleteSignatureException":        "com.amazon.coral.service",
	"MissingAuthenticationTokenException": "com.amazon.coral.service",
	"SerializationException":              "com.amazon.coral.service",
	"UnknownOperationException":           "com.amazon.coral.service",
	"UnrecognizedClientException":         "com.amazon.coral.service",
	"ValidationException":                 "com.amazon.coral.validate",
}

// capitalMessage names the errors of the AWS JSON services whose text is in "Message".
var capitalMessage = map[string]bool{
	"AccessDeniedException":                true,
	"IdempotentParameterMismatchException": true,
	"TransactionCanceledException":         true,
	"TransactionInProgressException":       true,
}

func writeTargetError(w http.ResponseWriter, t target, e *Error) {
	namespace := t.errorNamespace
	if coral, ok := coralNamespace[e.Code]; ok && namespace != "" {
		namespace = coral
	}
	members := make(map[string]any, len(e.Fields)+2)
	maps.Copy(members, e.Fields)
	members["__type"] = e.Code
	if namespace != "" {
		members["__type"] = namespace + "#" + e.Code
	}
	switch {
	case capitalMessage[e.Code]:
		members["Message"] = e.Message
	case e.Message != "":
		members["message"] = e.Message
	}
	if e.QueryCode != "" {
		fault := "Sender"
		if e.StatusCode() >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		w.Header().Set("X-Amzn-Query-Error", e.QueryCode+";"+fault)
	}
	body, err := json.Marshal(members)
	if err != nil {
		http.Error(w, "encode "+e.Code+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, t, e.StatusCode(), body)
}

func writeBody(w http.ResponseWriter, t target, status int, body []byte) {
	h := w.Header()
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if t.checksum {
		h["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}
	}
	w.WriteHeader(status)
	if r, ok := w.(*recorder); ok {
		r.keep(body)
		return
	}
	_, _ = w.Write(body) // a client that went away has no use for the answer
}

// WriteError answers a failed call of a REST JSON service. Those services spell the member with
// the text "message" in some of their errors and "Message" in others, so both are sent.
func WriteError(w http.ResponseWriter, e *Error) {
	members := make(map[string]any, len(e.Fields)+2)
	maps.Copy(members, e.Fields)
	members["message"], members["Message"] = e.Message, e.Message
	body, err := json.Marshal(members)
	if err != nil {
		http.Error(w, "encode "+e.Code+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", e.Code)
	writeBody(w, target{}, e.StatusCode(), body)
}

// WriteJSON answers a call of a REST JSON service; a nil answer has no body.
func WriteJSON(w http.ResponseWriter, status int, answer any) {
	if answer == nil {
		writeBody(w, target{}, status, nil)
		return
	}
	body, err := encode(answer)
	if err != nil {
		WriteError(w, AsError(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, target{}, status, body)
}

// newRequestID makes an id in the shape of a random UUID. Ids need only differ, not be hard to
// guess.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	text := bytes.Repeat([]byte{'-'}, 36)
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	return string(text)
}
