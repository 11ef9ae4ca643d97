package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"milepost/local/awsapi"
	"milepost/local/xray"
	"milepost/system"
)

// ports are what a run listens on. They are taken before anything else is done, so that a port which
// is not free costs nothing.
type ports struct {
	listeners []net.Listener // of api, aws, bureau and console
	addresses []string       // as requested
	servers   []*http.Server
	daemon    *xray.Daemon
}

// listen takes the addresses of c. Where one has port 0, c has the port that was given afterwards.
func (c *runCmd) listen() (*ports, error) {
	p := &ports{}
	for _, at := range []struct {
		flag    string
		address *string
	}{{"--api", &c.API}, {"--aws", &c.AWS}, {"--bureau", &c.Bureau}, {"--console", &c.Console}} {
		l, err := net.Listen("tcp", *at.address)
		if err != nil {
			return nil, errors.Join(taken(at.flag, *at.address, err), p.close())
		}
		p.listeners, p.addresses = append(p.listeners, l), append(p.addresses, *at.address)
		*at.address = bound(*at.address, l.Addr().String())
	}
	var err error
	if p.daemon, err = xray.Listen(c.Xray); err != nil {
		return nil, errors.Join(taken("--xray", c.Xray, err), p.close())
	}
	c.Xray = bound(c.Xray, p.daemon.Addr())
	return p, nil
}

// taken says why an address cannot be listened on, and names the flag that chooses another.
func taken(flag, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken, perhaps by another milepost run: stop what listens there, or choose another address with %s", address, flag)
	}
	return fmt.Errorf("%w; choose another address with %s", err, flag)
}

// bound is an address with the port that a listener has. The host stays as requested, because the names of the token
// issuer and of the queues begin with it; without one, it means this machine.
func bound(address, listener string) string {
	host, _, _ := net.SplitHostPort(address) // which was good enough to listen on
	_, port, _ := net.SplitHostPort(listener)
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// serve answers on the ports. A server that ends before close says so in failed.
func (p *ports) serve(failed chan<- error, sys *system.System, shown http.Handler) {
	endpoint := http.NewServeMux()
	endpoint.Handle(system.IssuerPath+"/", http.StripPrefix(system.IssuerPath, sys.Issuer))
	endpoint.Handle("/", sys.AWS())
	api := sys.API()
	if api == nil {
		api = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "The template has no HTTP API.", http.StatusNotFound)
		})
	}
	for i, h := range []http.Handler{api, endpoint, sys.Agency, shown} {
		server := &http.Server{Handler: awsapi.CheckHost(p.addresses[i], awsapi.GiveUp(silence, h)), ReadHeaderTimeout: silence}
		p.servers = append(p.servers, server)
		go func() {
			if err := server.Serve(p.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	p.daemon.Serve(sys.XRay())
}

// silence is how long a client may be silent in the middle of a request before it is given up.
const silence = 10 * time.Second

// grace is how long requests under way may take when the system stops.
const grace = 3 * time.Second

// close ends what was begun. The API is the first to go, while the functions of its last requests can
// still reach the others.
func (p *ports) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, server := range p.servers {
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // cancels what took too long
		}
	}
	for _, l := range p.listeners[len(p.servers):] {
		_ = l.Close() // nobody has connected
	}
	if p.daemon == nil {
		return nil
	}
	return p.daemon.Close()
}
