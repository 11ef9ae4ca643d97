package xray

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Daemon listens where the X-Ray SDKs expect the X-Ray daemon: on UDP for segments, and on the
// same port on TCP for the questions about sampling. A datagram is a line with the format, a
// newline and one segment document.
type Daemon struct {
	service *Service
	udp     *net.UDPConn
	tcp     net.Listener
	http    *http.Server
	wg      sync.WaitGroup
}

// Listen takes addr, such as "127.0.0.1:2000", for a Daemon that works from Serve on; port 0 takes a
// free one.
func Listen(addr string) (*Daemon, error) {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the X-Ray daemon: %w", err)
	}
	bound := tcp.Addr().(*net.TCPAddr)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: bound.IP, Port: bound.Port, Zone: bound.Zone})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the X-Ray daemon: %w", err), tcp.Close())
	}
	return &Daemon{udp: udp, tcp: tcp}, nil
}

// Serve runs the Daemon for s. Its port identifies no caller, so on TCP it answers only what the SDKs ask.
func (d *Daemon) Serve(s *Service) {
	// Bursts of segments outrun the reader; what does not fit in the buffer is lost silently.
	if err := d.udp.SetReadBuffer(4 << 20); err != nil {
		s.log.Warn("enlarge the buffer of the X-Ray daemon", "error", err)
	}
	sampling := http.NewServeMux()
	sampling.Handle("/GetSamplingRules", s)
	sampling.Handle("/SamplingTargets", s)
	d.service, d.http = s, &http.Server{Handler: sampling, ReadHeaderTimeout: 10 * time.Second}
	d.wg.Go(d.receive)
	d.wg.Go(func() { _ = d.http.Serve(d.tcp) }) // always ErrServerClosed, by Close
}

// Addr is where the Daemon listens, for AWS_XRAY_DAEMON_ADDRESS.
func (d *Daemon) Addr() string { return d.udp.LocalAddr().String() }

// Close stops listening.
func (d *Daemon) Close() error {
	var err error
	if d.http == nil {
		err = d.tcp.Close()
	} else {
		err = d.http.Close()
	}
	err = errors.Join(err, d.udp.Close())
	d.wg.Wait()
	return err
}

func (d *Daemon) receive() {
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := d.udp.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.service.log.Warn("read a segment", "error", err)
			continue
		}
		if err := d.service.putDatagram(buffer[:n]); err != nil {
			d.service.log.Warn("take a segment", "error", err)
		}
	}
}

func (s *Service) putDatagram(datagram []byte) error {
	line, document, ok := bytes.Cut(datagram, []byte("\n"))
	if !ok {
		return errors.New("the datagram has no header line")
	}
	var header struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(line, &header); err != nil {
		return fmt.Errorf("read the header line: %w", err)
	}
	if header.Format != "json" || header.Version != 1 {
		return fmt.Errorf("the format %q version %d is not json version 1", header.Format, header.Version)
	}
	return s.Put(document)
}
