// Package vpictest stands in for NHTSA's VIN service in tests. A Service answers requests in the
// service's form from a table of vehicles, or fails in one of the ways the service is known to fail.
package vpictest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"milepost/domain/vehicle"
)

// Failure is a way in which the service fails.
type Failure int

// The failures.
const (
	Working         Failure = iota
	Slow                    // no answer for as long as the caller waits
	Reset                   // the connection breaks
	Forbidden               // 403 with an HTML page
	TooManyRequests         // 429 with an HTML page
	Down                    // 503 with an HTML page
	ErrorPage               // 200 with an HTML page
	ExecutionError          // 200 with a message of an error
	WrongCount              // 200 with no vehicle
	OtherVIN                // 200 with another vehicle
	Huge                    // 200 with a reply of more than a megabyte
)

// Request is one that the service received.
type Request struct {
	VIN, ModelYear string
}

// Service is an http.Handler and, for tests without a network, an http.RoundTripper. It serves
// paths that end with /vehicles/DecodeVinValues/ and a VIN. It is safe for concurrent use.
type Service struct {
	vehicles map[string]map[string]string

	mu       sync.Mutex
	failure  Failure
	requests []Request
}

// New makes a service that knows these vehicles: by VIN, the service's fields that are not empty. Of
// any other VIN it knows not even the maker.
func New(vehicles map[string]map[string]string) *Service {
	return &Service{vehicles: vehicles}
}

// Fail makes the service fail from now on, or work again.
func (s *Service) Fail(f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = f
}

// Requests returns the requests so far.
func (s *Service) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, vin, ok := strings.Cut(r.URL.Path, "/vehicles/DecodeVinValues/")
	if !ok || r.Method != http.MethodGet || r.URL.Query().Get("format") != "json" {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{vin, r.URL.Query().Get("modelyear")})
	failure := s.failure
	s.mu.Unlock()

	switch failure {
	case Slow:
		<-r.Context().Done()
	case Reset:
		panic(http.ErrAbortHandler)
	case Forbidden:
		page(w, http.StatusForbidden)
	case TooManyRequests:
		page(w, http.StatusTooManyRequests)
	case Down:
		page(w, http.StatusServiceUnavailable)
	case ErrorPage:
		page(w, http.StatusOK)
	case ExecutionError:
		answer(w, envelope{Message: "Execution Error", SearchCriteria: "VIN:" + vin})
	case WrongCount:
		answer(w, envelope{Message: success, SearchCriteria: "VIN:" + vin})
	case OtherVIN:
		answer(w, found(vin, map[string]string{"VIN": "1M8GDM9AXKP042788", "ErrorCode": "0"}))
	case Huge:
		answer(w, found(vin, map[string]string{"VIN": vin, "ErrorCode": "0", "Note": strings.Repeat("x", 1<<20)}))
	default:
		answer(w, found(vin, s.vehicles[strings.ToUpper(vin)]))
	}
}

// RoundTrip answers a request without a network.
func (s *Service) RoundTrip(r *http.Request) (response *http.Response, err error) {
	defer func() {
		if broken := recover(); broken == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			err = io.ErrUnexpectedEOF
		} else if broken != nil {
			panic(broken)
		}
	}()
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// envelope is the form of every reply.
type envelope struct {
	Count          int
	Message        string
	SearchCriteria string
	Results        []map[string]string
}

const success = "Results returned successfully. NOTE: Any missing decoded values should be interpreted as " +
	"NHTSA does not have data on the specific variable."

// found is the reply about a vehicle, or about one of an unknown maker if there are no fields.
func found(vin string, known map[string]string) envelope {
	fields := map[string]string{}
	for _, name := range names {
		fields[name] = ""
	}
	fields["VIN"] = strings.ToUpper(vin)
	if len(known) == 0 {
		fields["ErrorCode"] = "7"
		fields["ErrorText"] = "7 - Manufacturer is not registered with NHTSA for sale or importation in the U.S. for use on U.S roads"
	}
	maps.Copy(fields, known)
	return envelope{Count: 1, Message: success, SearchCriteria: "VIN:" + vin, Results: []map[string]string{fields}}
}

// names are fields that every reply has, be they empty. The service itself has about 140.
var names = strings.Fields(`ABS AdditionalErrorText AirBagLocFront AirBagLocSide BodyClass CIB DisplacementCC DisplacementL
	Doors DriveType DynamicBrakeSupport ElectrificationLevel EngineConfiguration EngineCylinders EngineManufacturer
	EngineModel ErrorCode ErrorText ESC ForwardCollisionWarning FuelTypePrimary FuelTypeSecondary GVWR GVWR_to
	LaneDepartureWarning Make MakeID Manufacturer ManufacturerId Model ModelID ModelYear Note PlantCity PlantCountry
	PlantState PossibleValues Series SuggestedVIN Trim VehicleDescriptor VehicleType VIN`)

func answer(w http.ResponseWriter, e envelope) {
	body, err := json.Marshal(e)
	if err != nil {
		panic(errors.New("vpictest: " + err.Error()))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body) // the caller may be gone
}

func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
}

// Fields returns the service's fields for a vehicle that was decoded otherwise, so that a test can have
// the service know any vehicle.
func Fields(d vehicle.Decoded) map[string]string {
	fields := map[string]string{
		"VIN": d.VIN, "ErrorCode": vehicle.JoinCodes(d.ErrorCodes), "SuggestedVIN": d.SuggestedVIN,
		"ModelYear": count(d.ModelYear), "Make": d.Make, "Model": d.Model, "Series": d.Series, "Trim": d.Trim,
		"VehicleType": d.VehicleType, "BodyClass": d.BodyClass, "Doors": count(d.Doors), "GVWR": d.GVWR, "GVWR_to": d.GVWRTo,
		"Manufacturer": d.Manufacturer, "PlantCountry": d.PlantCountry, "PlantState": d.PlantState, "PlantCity": d.PlantCity,
		"FuelTypePrimary": d.FuelPrimary, "FuelTypeSecondary": d.FuelSecondary, "ElectrificationLevel": d.Electrification,
		"DriveType": d.DriveType, "EngineCylinders": count(d.Cylinders), "DisplacementL": d.DisplacementL,
		"EngineModel": d.EngineModel, "EngineManufacturer": d.EngineManufacturer, "EngineConfiguration": d.EngineShape,
	}
	if !d.YearConclusive && d.ModelYear != 0 {
		fields["AdditionalErrorText"] = "The Model Year decoded for this VIN may be incorrect. If you know the Model year, " +
			"please enter it and decode again to get more accurate information."
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	return fields
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
