//! The results as a picture: for each scenario, CreateSession per second and pods with valid credentials over time.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::issuer::Issuer;
use crate::run::{Finished, LOOK_EVERY};
use crate::scenario::Scenario;

const ORANGE: RGBColor = RGBColor(230, 140, 0);
const WIDTH: u32 = 1100;
const PANEL: u32 = 210;
const LEGEND: &str = "CreateSession per second (blue), AWS's quota (red), AssumeRole per second (orange), pods with credentials (green)";

/// Writes an SVG with a panel for each scenario.
pub fn write(path: &Path, results: &[(Scenario, Finished)]) -> Result<(), Box<dyn Error>> {
    let panels = u32::try_from(results.len())?;
    let root = SVGBackend::new(path, (WIDTH, PANEL * panels)).into_drawing_area();
    root.fill(&WHITE)?;
    let areas = root.split_evenly((results.len(), 1));
    for (area, (scenario, done)) in areas.iter().zip(results) {
        panel(area, scenario, done)?;
    }
    root.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    scenario: &Scenario,
    done: &Finished,
) -> Result<(), Box<dyn Error>> {
    let minutes = scenario.horizon.as_secs_f64() / 60.0;
    let quota = f64::from(u32::try_from(scenario.quota)?);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .caption(format!("{}: {LEGEND}", scenario.name), ("sans-serif", 15))
        .x_label_area_size(24)
        .y_label_area_size(40)
        .right_y_label_area_size(60)
        .build_cartesian_2d(0.0..minutes, 0.0..quota * 1.2)?
        .set_secondary_coord(0.0..minutes, 0.0..120.0);
    chart.configure_mesh().disable_mesh().y_desc("per s").x_desc("minutes").draw()?;
    chart.configure_secondary_axes().y_desc("% of pods").draw()?;
    chart.draw_series(LineSeries::new([(0.0, quota), (minutes, quota)], &RED))?;
    if let Some(sts) = &done.sts {
        chart.draw_series(LineSeries::new(busiest_seconds(scenario, sts), &ORANGE))?;
    }
    chart.draw_series(LineSeries::new(busiest_seconds(scenario, &done.issuer), &BLUE))?;
    chart.draw_secondary_series(LineSeries::new(covered(scenario, done), &GREEN))?;
    Ok(())
}

/// For each ten seconds, the requests of the busiest whole second.
fn busiest_seconds(scenario: &Scenario, issuer: &Issuer) -> Vec<(f64, f64)> {
    let length = usize::try_from(scenario.horizon.as_secs()).unwrap_or_default() + 1;
    let mut per_second = vec![0_u32; length];
    for at in &issuer.requests {
        if let Some(count) = usize::try_from(at.as_secs()).ok().and_then(|second| per_second.get_mut(second))
        {
            *count += 1;
        }
    }
    let step = usize::try_from(LOOK_EVERY.as_secs()).unwrap_or(1);
    let busiest = per_second.chunks(step).map(|chunk| chunk.iter().copied().max().unwrap_or_default());
    times().zip(busiest.map(f64::from)).collect()
}

fn covered(scenario: &Scenario, done: &Finished) -> Vec<(f64, f64)> {
    let percent = |pods: &u32| 100.0 * f64::from(*pods) / f64::from(scenario.pods.max(1));
    times().zip(done.measured.covered.iter().map(percent)).collect()
}

/// Minutes of each look.
fn times() -> impl Iterator<Item = f64> {
    (0_u32..).map(|look| f64::from(look) * LOOK_EVERY.as_secs_f64() / 60.0)
}
