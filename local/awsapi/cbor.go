package awsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Seconds is a point in time in seconds since 1970, as the JSON and CBOR protocols send it.
type Seconds float64

// cborProtocol is the name of the protocol in the headers of calls and answers.
const cborProtocol = "rpc-v2-cbor"

// HandleCBOR registers the service whose calls have the path "/service/name/operation/…" in the protocol
// rpc-v2-cbor, for instance "GraniteServiceVersion20100801". It gets the calls as JSON. What it answers is a struct
// (or nil), whose members are as encoding/json names them; times in it are Seconds. Its error types are sent as
// "errorNamespace#Code".
func (s *Server) HandleCBOR(name, errorNamespace string, service Service) {
	s.binary[name] = target{service: service, errorNamespace: errorNamespace}
}

// cborCall finds the service and the operation of a call in CBOR.
func (s *Server) cborCall(r *http.Request) (t target, operation string, ok bool) {
	if r.Header.Get("Smithy-Protocol") != cborProtocol {
		return target{}, "", false
	}
	rest, _ := strings.CutPrefix(r.URL.Path, "/service/")
	name, operation, _ := strings.Cut(rest, "/operation/")
	t, ok = s.binary[name]
	return t, operation, ok
}

// serveCBOR answers a call of the protocol rpc-v2-cbor.
func (s *Server) serveCBOR(ctx context.Context, identityErr *Error, t target, operation string, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", cborProtocol)
	if identityErr != nil {
		writeCBORError(w, t, identityErr)
		return
	}
	answer, err := s.callCBOR(ctx, t, operation, r)
	if err != nil {
		writeCBORError(w, t, AsError(err))
		return
	}
	writeBody(w, t, http.StatusOK, cbor.Encode(answer))
}

func (s *Server) callCBOR(ctx context.Context, t target, operation string, r *http.Request) (cbor.Value, error) {
	body, err := ReadBody(r)
	if err != nil {
		return nil, err
	}
	switch e := r.Header.Get("Content-Encoding"); e {
	case "":
	case "gzip": // SDKs compress what is larger than 10 KB
		if body, err = gunzip(body); err != nil {
			return nil, err
		}
	default:
		return nil, Unsupported("the content encoding " + e)
	}
	if len(body) > 0 {
		v, err := cbor.Decode(body)
		if err != nil {
			return nil, Errorf("SerializationException", "%v", err)
		}
		in, err := fromCBOR(v)
		if err != nil {
			return nil, err
		}
		if body, err = json.Marshal(in); err != nil {
			return nil, Errorf("SerializationException", "%v", err)
		}
	}
	if s.Before != nil {
		if err := s.Before(ctx, operation); err != nil {
			return nil, err
		}
	}
	answer, err := t.service.Call(ctx, operation, body)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return cbor.Map{}, nil
	}
	return toCBOR(reflect.ValueOf(answer))
}

func gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(z, MaxBody+1))
	}
	switch {
	case err != nil:
		return nil, Errorf("SerializationException", "read the compressed request: %v", err)
	case len(body) > MaxBody:
		return nil, &Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: "the request is larger than " + strconv.Itoa(MaxBody) + " bytes"}
	}
	return body, nil
}

// fromCBOR makes of a value what encoding/json encodes.
func fromCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v), nil
	case cbor.NegInt:
		return -float64(v), nil
	case cbor.Float32:
		return finite(float64(v))
	case cbor.Float64:
		return finite(float64(v))
	case cbor.String:
		return string(v), nil
	case cbor.Bool:
		return bool(v), nil
	case *cbor.Nil:
		return nil, nil
	case *cbor.Tag: // a time
		return fromCBOR(v.Value)
	case cbor.List:
		list := make([]any, len(v))
		for i, e := range v {
			var err error
			if list[i], err = fromCBOR(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	case cbor.Map:
		members := make(map[string]any, len(v))
		for name, e := range v {
			var err error
			if members[name], err = fromCBOR(e); err != nil {
				return nil, err
			}
		}
		return members, nil
	}
	return nil, Unsupported(fmt.Sprintf("the CBOR type %T", v))
}

func finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, &Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: fmt.Sprintf("The value %v is not a finite number.", f)}
	}
	return f, nil
}

// toCBOR encodes an answer. Members are named and left out as encoding/json does.
func toCBOR(v reflect.Value) (cbor.Value, error) {
	if at, ok := reflect.TypeAssert[Seconds](v); ok {
		return &cbor.Tag{ID: 1, Value: cbor.Float64(at)}, nil
	}
	switch v.Kind() {
	case reflect.String:
		return cbor.String(v.String()), nil
	case reflect.Bool:
		return cbor.Bool(v.Bool()), nil
	case reflect.Float64:
		return cbor.Float64(v.Float()), nil
	case reflect.Int:
		if v.Int() < 0 {
			return cbor.NegInt(uint64(-v.Int())), nil
		}
		return cbor.Uint(uint64(v.Int())), nil
	case reflect.Pointer:
		if v.IsNil() {
			return &cbor.Nil{}, nil
		}
		return toCBOR(v.Elem())
	case reflect.Slice:
		list := make(cbor.List, v.Len())
		for i := range list {
			var err error
			if list[i], err = toCBOR(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	case reflect.Map:
		members := cbor.Map{}
		for _, k := range v.MapKeys() {
			var err error
			if members[k.String()], err = toCBOR(v.MapIndex(k)); err != nil {
				return nil, err
			}
		}
		return members, nil
	case reflect.Struct:
		members := cbor.Map{}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				name = field.Name
			}
			if option == "omitempty" && (v.Field(i).IsZero() || v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0) {
				continue
			}
			var err error
			if members[name], err = toCBOR(v.Field(i)); err != nil {
				return nil, err
			}
		}
		return members, nil
	}
	return nil, fmt.Errorf("encode %v as CBOR", v.Type())
}

func writeCBORError(w http.ResponseWriter, t target, e *Error) {
	if e.QueryCode != "" {
		w.Header().Set("X-Amzn-Query-Error", e.QueryCode+";Sender")
	}
	writeBody(w, t, e.StatusCode(), cbor.Encode(cbor.Map{
		"__type": cbor.String(t.errorNamespace + "#" + e.Code), "message": cbor.String(e.Message),
	}))
}
