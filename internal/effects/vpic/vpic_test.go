package vpic_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"milepost/domain/vehicle"
	"milepost/internal/effects"
	"milepost/internal/effects/vpic"
	"milepost/internal/effects/vpic/vpictest"
)

const customer = "customer-1"

const honda = "1HGCM82633A004352"

// known returns the fields of VINs as the embedded data decode them.
func known(t *testing.T, vins ...string) map[string]map[string]string {
	t.Helper()
	vehicles := map[string]map[string]string{}
	for _, vin := range vins {
		vehicles[vin] = vpictest.Fields(decode(t, vin))
	}
	return vehicles
}

func decode(t *testing.T, vin string) vehicle.Decoded {
	t.Helper()
	d, err := vehicle.Decode(vin, vehicle.Options{YearLimit: 2028})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newClient makes a client of a service without a network.
func newClient(t *testing.T, s *vpictest.Service) *vpic.Client {
	t.Helper()
	return newClientAt(t, vpic.Public, &http.Client{Transport: s})
}

func newClientAt(t *testing.T, endpoint string, client *http.Client) *vpic.Client {
	t.Helper()
	c, err := vpic.New(vpic.Config{Endpoint: endpoint, HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDecodeGivesTheFormOfTheOfflineDecode(t *testing.T) {
	t.Parallel()
	vins := []string{honda, "1M8GDM9AXKP042788", "1FTFW5L86RFB45612", "LRW3E1EB6PC000007", "1P3EW6RR4PD808298", "1HGZZZZZ7KZ000001"}
	client := newClient(t, vpictest.New(known(t, vins...)))
	for _, vin := range vins {
		answer, err := client.Decode(t.Context(), customer, vin, 0)
		if err != nil {
			t.Fatalf("%s: %v", vin, err)
		}
		want := decode(t, vin)
		if !reflect.DeepEqual(answer.Decoded, want) {
			t.Errorf("%s: decoded\n%+v, want\n%+v", vin, answer.Decoded, want)
		}
		if answer.Fact != vehicle.FactOf(want) {
			t.Errorf("%s: fact %+v, want %+v", vin, answer.Fact, vehicle.FactOf(want))
		}
	}
}

func TestDecodeKeepsTheReplyWordForWord(t *testing.T) {
	t.Parallel()
	service := vpictest.New(map[string]map[string]string{honda: {
		"ErrorCode": "1,14", "Make": "HONDA", "BodyClass": "Not Applicable", "ModelYear": "2003", "ABS": "Standard", "Trim": " ",
	}})
	answer, err := newClient(t, service).Decode(t.Context(), customer, honda, 0)
	if err != nil {
		t.Fatal(err)
	}
	if reply := answer.Record.Reply; !strings.Contains(reply, `"Trim":" "`) || !strings.Contains(reply, `"Count":1`) {
		t.Errorf("reply %s, want all of it", reply)
	}
	if want := (vehicle.Fact{Status: vehicle.Found, ErrorCode: "1,14", Make: "HONDA", ModelYear: 2003}); answer.Fact != want {
		t.Errorf("fact %+v, want %+v", answer.Fact, want)
	}
	if r := answer.Record; r.Party != vpic.Party || r.Status != 200 || r.Attempts != 1 {
		t.Errorf("record %+v", r)
	}
}

func TestDecodeOfAnUnknownMakerIsAnAnswer(t *testing.T) {
	t.Parallel()
	answer, err := newClient(t, vpictest.New(nil)).Decode(t.Context(), customer, "zzzlsbf87ta480534", 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := (vehicle.Fact{Status: vehicle.NotFound, ErrorCode: "7"}); answer.Fact != want {
		t.Errorf("fact %+v, want %+v", answer.Fact, want)
	}
}

func TestDecodeAsksForTheModelYearWhereItIsGiven(t *testing.T) {
	t.Parallel()
	service := vpictest.New(known(t, honda))
	client := newClient(t, service)
	for _, year := range []int{0, 2003} {
		if _, err := client.Decode(t.Context(), customer, honda, year); err != nil {
			t.Fatal(err)
		}
	}
	want := []vpictest.Request{{VIN: honda}, {VIN: honda, ModelYear: "2003"}}
	if got := service.Requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}

func TestEveryFailureIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure vpictest.Failure
		want    effects.Reason
	}{
		"a slow answer":                 {vpictest.Slow, effects.Timeout},
		"a broken connection":           {vpictest.Reset, effects.Network},
		"a page that forbids":           {vpictest.Forbidden, vpic.Forbidden},
		"a page that asks to slow down": {vpictest.TooManyRequests, effects.RateLimited},
		"a page of a server in trouble": {vpictest.Down, vpic.ServerError},
		"a page with a good status":     {vpictest.ErrorPage, effects.BadReply},
		"a message of an error":         {vpictest.ExecutionError, vpic.ServerError},
		"no vehicle":                    {vpictest.WrongCount, effects.BadReply},
		"another vehicle":               {vpictest.OtherVIN, effects.BadReply},
		"a reply without end":           {vpictest.Huge, effects.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := vpictest.New(known(t, honda))
				service.Fail(test.failure)
				began := time.Now()
				_, err := newClient(t, service).Decode(t.Context(), customer, honda, 0)
				unavailable, ok := errors.AsType[*vpic.Unavailable](err)
				if !ok || unavailable.Reason != test.want {
					t.Fatalf("error %v, want %s", err, test.want)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
				if unavailable.Record.Party != vpic.Party || unavailable.Record.Attempts == 0 {
					t.Errorf("record %+v", unavailable.Record)
				}
				if strings.Contains(err.Error(), honda) {
					t.Errorf("the error names the VIN: %v", err)
				}
			})
		})
	}
}

func TestBadRepliesAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":               ``,
		"another shape":         `{"Count":1,"Results":"none"}`,
		"no codes":              `{"Count":1,"Results":[{"VIN":"` + honda + `"}]}`,
		"codes that are words":  `{"Count":1,"Results":[{"VIN":"` + honda + `","ErrorCode":"none"}]}`,
		"two vehicles":          `{"Count":2,"Results":[{"VIN":"` + honda + `","ErrorCode":"0"},{}]}`,
		"a count that is wrong": `{"Count":2,"Results":[{"VIN":"` + honda + `","ErrorCode":"0"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
			defer server.Close()
			_, err := newClientAt(t, server.URL, server.Client()).Decode(t.Context(), customer, honda, 0)
			if unavailable, ok := errors.AsType[*vpic.Unavailable](err); !ok || unavailable.Reason != effects.BadReply {
				t.Errorf("error %v, want %s", err, effects.BadReply)
			}
		})
	}
}

func TestTheServiceWorksOverANetworkToo(t *testing.T) {
	t.Parallel()
	service := vpictest.New(known(t, honda))
	server := httptest.NewServer(service)
	defer server.Close()
	client := newClientAt(t, server.URL+"/api/", server.Client())
	if answer, err := client.Decode(t.Context(), customer, honda, 0); err != nil || answer.Fact.Make != "HONDA" {
		t.Errorf("fact %+v, error %v", answer.Fact, err)
	}
	service.Fail(vpictest.Reset)
	_, err := client.Decode(t.Context(), customer, honda, 0)
	if unavailable, ok := errors.AsType[*vpic.Unavailable](err); !ok || unavailable.Reason != effects.Network {
		t.Errorf("error %v, want %s", err, effects.Network)
	}
}

func TestACallerMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := vpictest.New(nil)
		service.Fail(vpictest.Slow)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := newClient(t, service).Decode(ctx, customer, honda, 0)
		if unavailable, ok := errors.AsType[*vpic.Unavailable](err); !ok || unavailable.Reason != effects.Canceled {
			t.Errorf("error %v, want %s", err, effects.Canceled)
		}
	})
}

func TestNothingIsAskedDuringAReplay(t *testing.T) {
	t.Parallel()
	service := vpictest.New(nil)
	_, err := newClient(t, service).Decode(effects.WithReplay(t.Context()), customer, honda, 0)
	if _, ok := errors.AsType[*effects.Muted](err); !ok {
		t.Errorf("error %v, want Muted", err)
	}
	if n := len(service.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
