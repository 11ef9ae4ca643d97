package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"milepost/domain/vehicle"
)

// vinCmd decodes VINs from its arguments, or with Batch a VIN a line from the input.
// It needs no network; the data are in the program.
type vinCmd struct {
	VINs      []string `arg:"" optional:"" name:"vin" help:"Vehicle identification numbers."`
	Batch     bool     `help:"Read one VIN per line and write one JSON object per line; blank lines are skipped."`
	YearLimit int      `min:"1982" max:"2100" placeholder:"YEAR" help:"Latest plausible model year. Default: this year plus two."`
}

// Help says what is printed.
func (*vinCmd) Help() string {
	return `The output is JSON: for each VIN what it decodes to, and codes for what is wrong with it; 0 means nothing is wrong.

Examples:

  milepost vin 1HGCM82633A004352
  milepost vin --batch < vins.txt`
}

// Validate is called by the parser.
func (c *vinCmd) Validate() error {
	if c.Batch == (len(c.VINs) > 0) {
		return errors.New("pass either VINs or --batch")
	}
	return nil
}

// Run writes an object for each VIN. It fails at the end if any VIN was refused.
func (c *vinCmd) Run(s streams) error {
	if c.YearLimit == 0 {
		c.YearLimit = time.Now().UTC().Year() + 2
	}
	options := vehicle.Options{YearLimit: c.YearLimit}
	if err := options.Validate(); err != nil {
		return err
	}

	out := bufio.NewWriter(s.out)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	refused := false
	decode := func(vin string) error {
		answer, ok := decodeVIN(vin, options)
		refused = refused || !ok
		return encoder.Encode(answer)
	}
	var err error
	if c.Batch {
		err = eachLine(withoutMark(s.in), decode)
	} else {
		encoder.SetIndent("", "  ")
		for _, vin := range c.VINs {
			err = errors.Join(err, decode(vin))
		}
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("vin: %w", err)
	}
	if refused {
		return exitStatus(1)
	}
	return nil
}

// vinAnswer is a decode as it is printed: the most wanted fields come first and are present even if they are unknown.
type vinAnswer struct {
	VIN         string  `json:"vin"`
	Make        *string `json:"make"`
	Model       *string `json:"model"`
	Year        *int    `json:"year"`
	BodyClass   *string `json:"bodyClass"`
	VehicleType *string `json:"vehicleType"`
	vehicle.Decoded
}

// vinRefusal is printed in place of a vinAnswer.
type vinRefusal struct {
	VIN   string `json:"vin"`
	Error string `json:"error"`
}

// decodeVIN returns what to print for a VIN, and whether it could be decoded.
func decodeVIN(vin string, options vehicle.Options) (answer any, ok bool) {
	d, err := vehicle.Decode(vin, options)
	if err != nil {
		return vinRefusal{vin, err.Error()}, false
	}
	return vinAnswer{
		VIN:         d.VIN,
		Make:        orNull(d.Make),
		Model:       orNull(d.Model),
		Year:        orNull(d.ModelYear),
		BodyClass:   orNull(d.BodyClass),
		VehicleType: orNull(d.VehicleType),
		Decoded:     d,
	}, true
}

// orNull returns nil for a zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// eachLine calls f for each line that is not blank, whatever its length.
func eachLine(in io.Reader, f func(line string) error) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			if err := f(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
