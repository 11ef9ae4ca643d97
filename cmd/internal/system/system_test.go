package system_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"milepost/cmd/internal/system"
	"milepost/local/issuer"
)

const template = "../../../template.yaml"

func open(t *testing.T, o system.Options) *system.System {
	t.Helper()
	o.Template = template
	s, err := system.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
		s := open(t, system.Options{})
		token, err := s.Issuer.Token(issuer.Claims{Subject: "ada", Scopes: []string{"quotes"}, Audience: []string{system.Audience}})
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(`{"state":"OH","effectiveDate":"2026-05-15","termMonths":6,"policy":{"homeowner":false,"paymentPlan":"INSTALLMENTS","priorInsurance":{"hasPrior":true,"expirationDate":"2026-05-15","biLimit":"100/300"}},"coverages":{"BI":"100/300","PD":"100","UMBI":"100/300","MED":"5000"},"drivers":[{"driverId":"D1","firstName":"Ada","lastName":"Doe","licenseNumber":"A123","dateOfBirth":"1988-03-10","licensedDate":"2005-06-01","licenseStatus":"VALID","gender":"F","maritalStatus":"MARRIED"}],"vehicles":[{"vehicleId":"V1","vin":"1HGCV1F33NA000101","modelYear":2022,"make":"HONDA","model":"Accord","bodyClass":"Sedan/Saloon","msrp":"28000.00","value":"22000.00","garagingZip":"43215","use":"COMMUTE","oneWayMiles":10,"annualMileage":12000,"titleStatus":"CLEAN","restraint":"DUAL_SIDE","abs":true,"aeb":true,"antiTheft":"NONE","coverages":{"COMP":500,"COLL":500,"RENT":"40/1200","TOW":"100"}}]}`)
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/quotes", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, r)
		t.Log(w.Code, w.Body.String(), w.Header())
		time.Sleep(10 * time.Second)
		var accepted struct{ QuoteID string }
		_ = json.Unmarshal(w.Body.Bytes(), &accepted)
		r = httptest.NewRequest(http.MethodGet, "/quotes/"+accepted.QuoteID, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w = httptest.NewRecorder()
		s.API().ServeHTTP(w, r)
		t.Log(w.Code, w.Body.String(), w.Header())
	})
}
