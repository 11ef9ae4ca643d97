package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// doctorCmd looks at what runs here, and says what is wrong.
type doctorCmd struct {
	Data     string   `setting:"" default:".milepost" type:"path" help:"The directory of milepost run."`
	API      string   `setting:"" default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	Bureau   string   `setting:"" default:"127.0.0.1:8081" help:"Address of the reference bureau."`
	Console  string   `setting:"" default:"127.0.0.1:8082" help:"Address of the console."`
	Format   format   `embed:""`
	Endpoint endpoint `embed:""`
}

// Help says what is looked at.
func (*doctorCmd) Help() string {
	return `It looks at the version, the data directory, the addresses, the stack, and the clock. It changes nothing, and ends with status 1 if something is wrong.

Example:

  milepost doctor`
}

// finding is something that was looked at. Wrong says what to do; "" is fine.
type finding struct {
	What  string `json:"what"`
	Found string `json:"found"`
	Wrong string `json:"wrong,omitempty"`
}

// Run looks, and prints a line for each finding.
func (c *doctorCmd) Run(ctx context.Context, s streams) error {
	version, err := programVersion()
	if err != nil {
		return err
	}
	all := []finding{{What: "version", Found: version + ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH}}
	if s.settings != nil && s.settings.values != nil {
		all = append(all, finding{What: "settings", Found: s.settings.file})
	}
	if c.Endpoint.here() {
		all = append(all, dataIn(c.Data), listens(ctx, "API", c.API), listens(ctx, "bureau", c.Bureau), listens(ctx, "console", c.Console))
	}
	all = append(all, c.stack(ctx, s), c.clock(ctx, s))
	wrong := 0
	for _, f := range all {
		if f.Wrong != "" {
			wrong++
		}
	}
	if c.Format.JSON {
		err = printJSON(s.out, all)
	} else {
		table := newList("what", "found", "state")
		for _, f := range all {
			mark := "ok"
			if f.Wrong != "" {
				mark = "WRONG: " + f.Wrong
			}
			table.add(f.What, f.Found, mark)
			if f.Wrong != "" {
				table.mark()
			}
		}
		err = table.print(s.out, c.Format)
	}
	if err == nil && wrong > 0 {
		return exitStatus(1)
	}
	return err
}

// dataIn looks at the directory of a run.
func dataIn(dir string) finding {
	f := finding{What: "data", Found: dir}
	info, err := os.Stat(filepath.Join(dir, "state.db"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Found += ", nothing yet"
	case err != nil:
		f.Wrong = err.Error()
	case info.Size() == 0:
		f.Wrong = "state.db is empty: put a copy of it back, or delete the directory to start over"
	default:
		f.Found += fmt.Sprintf(", %.1f MB, changed %s", float64(info.Size())/(1<<20), info.ModTime().UTC().Format(time.RFC3339))
	}
	return f
}

// listens looks whether something answers at an address.
func listens(ctx context.Context, what, address string) finding {
	f := finding{What: what, Found: address}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		f.Wrong = "nothing answers: start milepost run, or say the address"
		return f
	}
	_ = conn.Close()
	return f
}

// stack looks whether the stack is there, and whose account it is in.
func (c *doctorCmd) stack(ctx context.Context, s streams) finding {
	f := finding{What: "stack", Found: c.Endpoint.Stack}
	cfg, err := c.Endpoint.config(ctx, s)
	if err != nil {
		f.Wrong = err.Error()
		return f
	}
	st, err := openStack(ctx, cfg, c.Endpoint.Stack)
	if err != nil {
		f.Wrong = plainly(err).Error()
		return f
	}
	f.Found += ", " + st.status
	if who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil {
		f.Found += ", account " + aws.ToString(who.Account)
	}
	return f
}

// skew is how far the clocks may be apart: AWS refuses signatures that are five minutes off.
const skew = time.Minute

// clock compares this machine's clock with that of the endpoint.
func (c *doctorCmd) clock(ctx context.Context, s streams) finding {
	now := time.Now().UTC()
	f := finding{What: "clock", Found: now.Format(time.RFC3339)}
	cfg, err := c.Endpoint.config(ctx, s)
	if err != nil || cfg.BaseEndpoint == nil {
		return f
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, *cfg.BaseEndpoint, http.NoBody)
	if err != nil {
		return f
	}
	answer, err := cfg.HTTPClient.Do(r)
	if err != nil {
		return f // which the stack's line says
	}
	_ = answer.Body.Close()
	there, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return f
	}
	if apart := now.Sub(there).Abs(); apart > skew {
		f.Wrong = fmt.Sprintf("the endpoint's clock is %v apart: set the clock of this machine", apart.Round(time.Second))
	}
	return f
}
