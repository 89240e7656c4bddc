//go:build tools

// Names the program that this module pins.
package tools

import _ "github.com/prometheus/prometheus/cmd/promtool"
