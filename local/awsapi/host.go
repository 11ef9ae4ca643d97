package awsapi

import (
	"net"
	"net/http"
	"strings"
)

// CheckHost guards a handler that is served on address against the pages in this machine's browser.
//
// A page of any site may let its own name resolve to 127.0.0.1 and then call what listens there as its own origin, with
// any header. Its name in the Host header reveals it: if address is a loopback address, only IP addresses, localhost
// and the name in address are let through.
//
// A page that calls across origins needs no check. All that matters here wants an Authorization
// header, or X-Amz-Target too, and a browser sends neither to another origin unless that has
// answered a preflight with CORS headers, which Server never does.
func CheckHost(address string, h http.Handler) http.Handler {
	name, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(name); err != nil || name == "" || ip != nil && !ip.IsLoopback() {
		return h // it was meant to be reached from elsewhere, under whatever name
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostName(r.Host); !strings.EqualFold(host, name) && !ofThisMachine(host) {
			http.Error(w, "This is "+address+", which answers to localhost and to IP addresses, but not to the name "+host+".",
				http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// syncPrefix is what clients of Step Functions put before the host for StartSyncExecution and TestState.
const syncPrefix = "sync-"

func ofThisMachine(host string) bool {
	host = strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(host, ".")), syncPrefix)
	return net.ParseIP(host) != nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostName is a Host header without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
