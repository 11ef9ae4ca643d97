package vehicle

import (
	"slices"

	"milepost/domain/internal/closed"
)

// Status says how a lookup of a VIN ended.
type Status string

// How a look-up may end.
const (
	Found       Status = "DECODED"
	NotFound    Status = "NOT_FOUND"
	Unavailable Status = "UNAVAILABLE" // the provider could not be asked; it says nothing about the VIN
)

var statuses = []Status{Found, NotFound, Unavailable}

// UnmarshalText reads a status and refuses any other text.
func (s *Status) UnmarshalText(text []byte) error {
	return closed.Parse(s, text, "VIN status", statuses)
}

// Fact is what a quote records of a vehicle and is rated on. With Unavailable nothing else is set.
type Fact struct {
	Status    Status `json:"status"`
	ErrorCode string `json:"errorCode,omitempty"` // vPIC's codes, such as "0" or "5,14"
	Make      string `json:"make,omitempty"`
	Model     string `json:"model,omitempty"`
	ModelYear int    `json:"modelYear,omitempty"`
	BodyClass string `json:"bodyClass,omitempty"`
	GVWR      string `json:"gvwr,omitempty"`
}

// FactOf reduces a decode to a fact. A vehicle is not found if its maker is unknown, or if there are no detailed data
// and the WMI alone does not determine make and body.
func FactOf(d Decoded) Fact {
	status := Found
	switch {
	case slices.Contains(d.ErrorCodes, UnknownMaker):
		status = NotFound
	case slices.Contains(d.ErrorCodes, NoDetailedData) && (d.Make == "" || d.BodyClass == ""):
		status = NotFound
	}
	return Fact{
		Status:    status,
		ErrorCode: JoinCodes(d.ErrorCodes),
		Make:      d.Make,
		Model:     d.Model,
		ModelYear: d.ModelYear,
		BodyClass: d.BodyClass,
		GVWR:      d.GVWR,
	}
}
