package accident

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"milepost/domain/civil"
	"milepost/domain/internal/closed"
)

// ReportRequest asks a reporting agency about one driver. It is personal data: a log shows only its ids.
type ReportRequest struct {
	RequestID string `json:"requestId"`
	// PermissiblePurpose certifies why the law lets us ask.
	PermissiblePurpose Purpose `json:"permissiblePurpose"`
	// QuoteRef names the quote and its revision.
	QuoteRef      string    `json:"quoteRef"`
	Products      []Product `json:"products"`
	LookbackYears int       `json:"lookbackYears"`
	Subject       Subject   `json:"subject"`
	VINs          []string  `json:"vins"`
}

// LogValue shows the ids alone.
func (r ReportRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("request_id", r.RequestID), slog.String("quote_ref", r.QuoteRef))
}

// Subject is the person asked about.
type Subject struct {
	FirstName   string     `json:"firstName"`
	LastName    string     `json:"lastName"`
	DateOfBirth civil.Date `json:"dateOfBirth"`
	License     License    `json:"license"`
	// Address may be left out; agencies find more people with it.
	Address Address `json:"address,omitzero"`
}

// LogValue shows nothing.
func (Subject) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// License is a driver's license.
type License struct {
	State  string `json:"state"`
	Number string `json:"number"`
}

// LogValue shows nothing.
func (License) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Address is a postal address.
type Address struct {
	Line1 string `json:"line1"`
	City  string `json:"city"`
	State string `json:"state"`
	ZIP   string `json:"zip"`
}

// LogValue shows nothing.
func (Address) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Purpose is a reason for which a consumer report may be ordered.
type Purpose string

// InsuranceUnderwriting is the only purpose there is here: 15 USC 1681b(a)(3)(C).
const InsuranceUnderwriting Purpose = "INSURANCE_UNDERWRITING"

// UnmarshalText reads a purpose and refuses any other text.
func (p *Purpose) UnmarshalText(text []byte) error {
	return closed.Parse(p, text, "permissible purpose", []Purpose{InsuranceUnderwriting})
}

// Product is one of the sources that an agency sells.
type Product string

// The products: contributed insurance claims, and the motor vehicle record of the state.
const (
	Claims             Product = "CLAIMS"
	MotorVehicleRecord Product = "MVR"
)

var products = []Product{Claims, MotorVehicleRecord}

// UnmarshalText reads a product and refuses any other text.
func (p *Product) UnmarshalText(text []byte) error { return closed.Parse(p, text, "product", products) }

// Report is an agency's answer about one driver. It is a consumer report: a log shows only its ids.
type Report struct {
	ReportID  string       `json:"reportId"`
	RequestID string       `json:"requestId"`
	Status    ReportStatus `json:"status"`
	AsOf      time.Time    `json:"asOf"`
	// Agency is named in any adverse action notice, so no report is without it.
	Agency        Agency                    `json:"agency"`
	Products      map[Product]ProductStatus `json:"products"`
	LicenseStatus LicenseStatus             `json:"licenseStatus,omitzero"`
	Incidents     []ReportedIncident        `json:"incidents"`
}

// LogValue shows the ids and the status alone.
func (r Report) LogValue() slog.Value {
	return slog.GroupValue(slog.String("report_id", r.ReportID), slog.String("request_id", r.RequestID),
		slog.String("status", string(r.Status)))
}

// Agency is the consumer reporting agency that made a report.
type Agency struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Phone   string `json:"phone"`
}

// ReportStatus says whether the agency found the driver.
type ReportStatus string

// The report statuses. With ReportPartial, some product has not answered; Products says which.
const (
	ReportHit     ReportStatus = "HIT"
	ReportNoHit   ReportStatus = "NO_HIT"
	ReportPartial ReportStatus = "PARTIAL"
)

var reportStatuses = []ReportStatus{ReportHit, ReportNoHit, ReportPartial}

// UnmarshalText reads a report status and refuses any other text.
func (s *ReportStatus) UnmarshalText(text []byte) error {
	return closed.Parse(s, text, "report status", reportStatuses)
}

// ProductStatus says how one product answered.
type ProductStatus string

// The product statuses.
const (
	ProductHit         ProductStatus = "HIT"
	ProductNoHit       ProductStatus = "NO_HIT"
	ProductUnavailable ProductStatus = "UNAVAILABLE"
	ProductPending     ProductStatus = "PENDING"
)

var productStatuses = []ProductStatus{ProductHit, ProductNoHit, ProductUnavailable, ProductPending}

// UnmarshalText reads a product status and refuses any other text.
func (s *ProductStatus) UnmarshalText(text []byte) error {
	return closed.Parse(s, text, "product status", productStatuses)
}

func (s ProductStatus) answered() bool { return s == ProductHit || s == ProductNoHit }

// ReportedIncident is an incident as the agency reports it.
type ReportedIncident struct {
	IncidentID   string          `json:"incidentId"`
	Source       Product         `json:"source"`
	Type         Type            `json:"type"`
	Date         civil.Date      `json:"date"`
	AmountPaid   decimal.Decimal `json:"amountPaid"`
	BodilyInjury bool            `json:"bodilyInjury"`
	// FaultPct is nil if the agency does not know whose fault it was.
	FaultPct *int `json:"faultPct"`
	// ClaimStatus, CoverageCodes and MatchConfidence are in the agency's own words.
	ClaimStatus     string   `json:"claimStatus,omitzero"`
	VIN             *string  `json:"vin"`
	CoverageCodes   []string `json:"coverageCodes"`
	MatchConfidence string   `json:"matchConfidence,omitzero"`
	// Disputed is set while the driver contests the entry.
	Disputed bool `json:"disputed"`
}

// LicenseStatus is the standing of a driver's license.
type LicenseStatus string

// The license statuses.
const (
	LicenseValid     LicenseStatus = "VALID"
	LicensePermit    LicenseStatus = "PERMIT"
	LicenseSuspended LicenseStatus = "SUSPENDED"
	LicenseRevoked   LicenseStatus = "REVOKED"
	LicenseExpired   LicenseStatus = "EXPIRED"
	LicenseForeign   LicenseStatus = "FOREIGN"
	Unlicensed       LicenseStatus = "UNLICENSED"
)

var licenseStatuses = []LicenseStatus{LicenseValid, LicensePermit, LicenseSuspended, LicenseRevoked,
	LicenseExpired, LicenseForeign, Unlicensed}

// WorseThan reports whether a license is worse than another for underwriting: a suspended or revoked one is the worst,
// and one that has expired, is foreign or never was comes next. A learner's permit is no worse than a license.
func (s LicenseStatus) WorseThan(other LicenseStatus) bool { return s.rank() > other.rank() }

func (s LicenseStatus) rank() int {
	switch s {
	case LicenseSuspended, LicenseRevoked:
		return 2
	case LicenseExpired, LicenseForeign, Unlicensed:
		return 1
	}
	return 0
}

// LicenseStatuses are all statuses of a license.
func LicenseStatuses() []LicenseStatus { return slices.Clone(licenseStatuses) }

// Known reports whether s is one of the license statuses.
func (s LicenseStatus) Known() bool { return slices.Contains(licenseStatuses, s) }

// UnmarshalText reads a license status and refuses any other text.
func (s *LicenseStatus) UnmarshalText(text []byte) error {
	return closed.Parse(s, text, "license status", licenseStatuses)
}

// ErrorBody is what an agency answers when it makes no report.
type ErrorBody struct {
	Error Failure `json:"error"`
}

// Failure is why an agency made no report. Its message carries no personal data.
type Failure struct {
	Code      ErrorCode `json:"code"`
	Message   string    `json:"message"`
	Retryable bool      `json:"retryable"`
	// Field is the part of the request at fault, if there is one.
	Field         *string `json:"field"`
	CorrelationID string  `json:"correlationId"`
}

// Error returns the code and the message.
func (f *Failure) Error() string { return fmt.Sprintf("accident history: %s: %s", f.Code, f.Message) }

// ErrorCode is the reason of a Failure.
type ErrorCode string

// The error codes.
const (
	InvalidRequest          ErrorCode = "INVALID_REQUEST"
	PurposeNotPermitted     ErrorCode = "PURPOSE_NOT_PERMITTED"
	IdempotencyConflict     ErrorCode = "IDEMPOTENCY_CONFLICT"
	InvalidLicense          ErrorCode = "INVALID_LICENSE"
	InsufficientSubjectData ErrorCode = "INSUFFICIENT_SUBJECT_DATA"
	RateLimited             ErrorCode = "RATE_LIMITED"
	SourceUnavailable       ErrorCode = "SOURCE_UNAVAILABLE"
	Timeout                 ErrorCode = "TIMEOUT"
)

var errorCodes = []ErrorCode{InvalidRequest, PurposeNotPermitted, IdempotencyConflict, InvalidLicense,
	InsufficientSubjectData, RateLimited, SourceUnavailable, Timeout}

// UnmarshalText reads an error code and refuses any other text.
func (c *ErrorCode) UnmarshalText(text []byte) error {
	return closed.Parse(c, text, "error code", errorCodes)
}

// Assessment is a report as rating and underwriting may use it.
type Assessment struct {
	History History `json:"history"`
	// Pending holds the bind: some product has not answered yet.
	Pending bool `json:"pending"`
	// LicenseStatus is the license's status in the state's record, "" if that has none.
	LicenseStatus LicenseStatus `json:"licenseStatus,omitzero"`
	// Reviews are the entries that need a person's review.
	Reviews []Review `json:"reviews,omitzero"`
}

// Review asks a person to look at one entry of a report.
type Review struct {
	IncidentID string       `json:"incidentId"`
	Reason     ReviewReason `json:"reason"`
}

// ReviewReason says what is open about an entry of a report.
type ReviewReason string

// The reasons for a review.
const (
	// FaultUnknown marks an accident rated as not at fault because it is unknown whose fault it was.
	FaultUnknown ReviewReason = "FAULT_UNKNOWN"
	// Disputed marks an entry that is left out until the dispute is resolved.
	Disputed ReviewReason = "DISPUTED"
)

var reviewReasons = []ReviewReason{FaultUnknown, Disputed}

// UnmarshalText reads a reason for a review and refuses any other text.
func (r *ReviewReason) UnmarshalText(text []byte) error {
	return closed.Parse(r, text, "review reason", reviewReasons)
}

// Assess turns a report into what rating may use. It fails on a report that breaks the contract: one without an agency,
// without a status, or with incidents of a driver it did not find.
//
// A partial report counts as far as it goes, and is unavailable if it has no incidents: if the sources that answered
// have nothing, that says little about the others.
func (r Report) Assess() (Assessment, error) {
	if err := r.check(); err != nil {
		return Assessment{}, fmt.Errorf("accident history report %q: %w", r.ReportID, err)
	}
	a := Assessment{History: History{Status: NoHit, Incidents: []Incident{}}, Pending: r.pending(), LicenseStatus: r.LicenseStatus}
	switch {
	case r.Status == ReportHit, len(r.Incidents) > 0:
		a.History.Status = Hit
	case a.Pending:
		a.History.Status = Unavailable
	}
	for _, reported := range r.Incidents {
		incident := Incident{Type: reported.Type, Date: reported.Date, AmountPaid: reported.AmountPaid,
			BodilyInjury: reported.BodilyInjury, FaultPct: reported.FaultPct}
		if reported.Disputed {
			a.Reviews = append(a.Reviews, Review{reported.IncidentID, Disputed})
			continue
		}
		if incident.Type == AtFaultAccident && incident.FaultPct == nil {
			incident.Type = NotAtFaultAccident
			a.Reviews = append(a.Reviews, Review{reported.IncidentID, FaultUnknown})
		}
		a.History.Incidents = append(a.History.Incidents, incident)
	}
	return a, nil
}

// What a report may hold. One that holds more breaks the contract.
const (
	MaxIncidents = 50
	MaxText      = 200 // bytes of a name, an address, a phone or an id
)

func (r Report) check() error {
	if len(r.Incidents) > MaxIncidents {
		return fmt.Errorf("there are more than %d incidents", MaxIncidents)
	}
	for _, text := range []string{r.ReportID, r.Agency.Name, r.Agency.Address, r.Agency.Phone} {
		if len(text) > MaxText {
			return fmt.Errorf("its id, or name, address or phone of the agency is longer than %d bytes", MaxText)
		}
	}
	if !slices.Contains(reportStatuses, r.Status) {
		return fmt.Errorf("status is %q, want one of %v", r.Status, reportStatuses)
	}
	if r.Agency.Name == "" || r.Agency.Address == "" || r.Agency.Phone == "" {
		return errors.New("name, address or phone of the agency is missing")
	}
	if r.Status == ReportNoHit && len(r.Incidents) > 0 {
		return errors.New("status is NO_HIT but there are incidents")
	}
	for _, i := range r.Incidents {
		if len(i.IncidentID) > MaxText {
			return fmt.Errorf("the id of an incident is longer than %d bytes", MaxText)
		}
		if !i.Type.Known() || i.Date.IsZero() {
			return fmt.Errorf("incident %q has no type or no date", i.IncidentID)
		}
	}
	return nil
}

// pending reports whether some product has not answered, whatever the status of the whole says.
func (r Report) pending() bool {
	for _, status := range r.Products {
		if !status.answered() {
			return true
		}
	}
	return r.Status == ReportPartial
}
