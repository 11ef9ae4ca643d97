package mask

import "milepost/domain/vehicle"

// plant is where the plant and the serial number of a vehicle begin in its VIN. What is before them says what kind of
// vehicle it is; of a maker of few vehicles, three characters of the serial number say who the maker is.
const (
	plant  = 10
	serial = 11
)

// vinTries is how many serial numbers are tried until one decodes to the same vehicle.
const vinTries = 20

// vin is the VIN of another vehicle of the same kind, which is decoded to the same, and whose check digit is right if
// that of the first is. A text that is not a VIN is masked by its shape.
func (m *Masker) vin(text string) string {
	original, err := vehicle.ParseVIN(text)
	if err != nil {
		return m.shape("vin", text)
	}
	old := original.String()
	from := serial
	if old[2] == '9' {
		from += 3
	}
	right := old[8] == original.CheckDigit()
	want, best := factOf(old), ""
	for try := range vinTries {
		masked := []byte(old)
		sum := m.sum("vin", old, try)
		for i := from; i < len(masked); i++ {
			masked[i] = another(masked[i], sum[i])
		}
		if try < vinTries/2 { // after that the plant may be what matters
			masked[plant] = another(masked[plant], sum[plant])
		}
		v, err := vehicle.ParseVIN(string(masked))
		if err != nil { // it has the characters of a VIN
			panic(err)
		}
		digit := v.CheckDigit()
		if right {
			masked[8] = digit
		} else if masked[8] == digit {
			continue
		}
		if string(masked) == old {
			continue
		}
		if best = string(masked); factOf(best) == want {
			break
		}
	}
	return best // one that is decoded to something else, where the serial number itself says what the vehicle is
}

// another is a digit in the place of a digit and a letter of a VIN in the place of a letter.
func another(c, r byte) byte {
	const letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
	if '0' <= c && c <= '9' {
		return '0' + r%10
	}
	return letters[int(r)%len(letters)]
}

// factOf is what a quote is rated on.
func factOf(vin string) vehicle.Fact {
	decoded, err := vehicle.Decode(vin, vehicle.Options{YearLimit: 2100})
	if err != nil { // it has the form of a VIN
		panic(err)
	}
	return vehicle.FactOf(decoded)
}
