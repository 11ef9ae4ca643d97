package websocket

import (
	"net/http"
	"time"

	"milepost/local/awsapi"
)

// event is what functions get, in the format of aws-lambda-go's events.APIGatewayWebsocketProxyRequest. A MESSAGE has
// no headers and no query.
type event struct {
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Query             map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	Context           requestContext      `json:"requestContext"`
	Body              string              `json:"body,omitempty"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type requestContext struct {
	RouteKey             string   `json:"routeKey"`
	EventType            string   `json:"eventType"`
	MessageID            string   `json:"messageId,omitempty"`
	ConnectionID         string   `json:"connectionId"`
	RequestID            string   `json:"requestId"`
	ExtendedRequestID    string   `json:"extendedRequestId"`
	MessageDirection     string   `json:"messageDirection"`
	Stage                string   `json:"stage"`
	APIID                string   `json:"apiId"`
	DomainName           string   `json:"domainName"`
	ConnectedAt          int64    `json:"connectedAt"`
	RequestTime          string   `json:"requestTime"`
	RequestTimeEpoch     int64    `json:"requestTimeEpoch"`
	Identity             identity `json:"identity"`
	DisconnectStatusCode int      `json:"disconnectStatusCode,omitempty"`
	DisconnectReason     *string  `json:"disconnectReason,omitempty"`
}

func (a *API) event(c *connection, key, kind string) *event {
	now, id := time.Now().UTC(), newConnectionID()
	return &event{Context: requestContext{
		RouteKey: key, EventType: kind, ConnectionID: c.id, RequestID: id, ExtendedRequestID: id, MessageDirection: "IN",
		Stage: a.config.Stage, APIID: a.config.ID, DomainName: a.config.ID + ".execute-api." + awsapi.Region + ".amazonaws.com",
		ConnectedAt: c.connected.UnixMilli(), RequestTime: now.Format("02/Jan/2006:15:04:05 -0700"), RequestTimeEpoch: now.UnixMilli(),
		Identity: c.identity,
	}}
}

// headers are those of a handshake.
func headers(r *http.Request) (map[string]string, map[string][]string) {
	one, all := map[string]string{"Host": r.Host}, map[string][]string{"Host": {r.Host}}
	for name, values := range r.Header {
		one[name], all[name] = values[len(values)-1], values
	}
	source := hostName(r.RemoteAddr)
	one["X-Forwarded-For"], all["X-Forwarded-For"] = source, []string{source}
	return one, all
}
