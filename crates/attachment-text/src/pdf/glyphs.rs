//! Glyphs of a page, gathered to lines.

use std::time::Instant;

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Vec2};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, TransformExt, interpret_page,
};

use super::layout::Line;

/// Lines of one page, in the order in which they are drawn.
pub(super) fn lines<'a>(
    page: &Page<'a>,
    pdf: &'a Pdf,
    cache: &InterpreterCache<'a>,
    until: Instant,
) -> Vec<Line> {
    let settings = InterpreterSettings::default();
    let (width, height) = page.render_dimensions();
    let mut context = Context::new(
        page.initial_transform(true).to_kurbo(),
        Rect::new(0.0, 0.0, f64::from(width), f64::from(height)),
        cache,
        pdf.xref(),
        settings,
    );
    let mut gatherer = Gatherer {
        until,
        calls: 0,
        lines: Vec::new(),
    };
    interpret_page(page, &mut context, &mut gatherer);
    gatherer.lines
}

struct Gatherer {
    until: Instant,
    calls: u32,
    lines: Vec<Line>,
}

/// The reader has no way to be told to stop but this. It is caught with the thread that the page is read on.
struct TimeIsUp;

impl Gatherer {
    fn look_at_the_clock(&mut self) {
        self.calls = self.calls.wrapping_add(1);
        if self.calls.is_multiple_of(256) && Instant::now() >= self.until {
            std::panic::resume_unwind(Box::new(TimeIsUp));
        }
    }

    fn glyph(&mut self, glyph: &Glyph<'_>, place: Affine) {
        let text = match glyph.as_unicode() {
            Some(BfString::Char(c)) => c.to_string(),
            Some(BfString::String(s)) => s,
            None => return,
        };
        let units = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(drawn) => drawn.advance_width(),
        };
        let at = place * Point::ZERO;
        // A glyph is drawn in thousandths of its font's size.
        let across = linear(place, Vec2::new(1000.0, 0.0));
        let size = linear(place, Vec2::new(0.0, 1000.0)).hypot();
        if !(at.is_finite() && across.hypot().is_finite() && size.is_finite()) || size <= 0.0 {
            return;
        }
        let end = at + across * (f64::from(units.unwrap_or(500.0)) / 1000.0);
        match self.lines.last_mut() {
            Some(line) if line.takes(at, across, size) => line.push(&text, at, end, size),
            _ => self.lines.push(Line::new(&text, at, end, across, size)),
        }
    }
}

/// A direction, without the place.
fn linear(place: Affine, direction: Vec2) -> Vec2 {
    let [a, b, c, d, _, _] = place.as_coeffs();
    Vec2::new(
        a * direction.x + c * direction.y,
        b * direction.x + d * direction.y,
    )
}

impl Device<'_> for Gatherer {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            self.look_at_the_clock();
            self.glyph(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {
        self.look_at_the_clock();
    }

    fn draw_rect(&mut self, _: &Rect, _: DrawProps<'_>, _: &DrawMode) {
        self.look_at_the_clock();
    }

    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {
        self.look_at_the_clock();
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.look_at_the_clock();
    }

    fn push_clip_rect(&mut self, _: &Rect) {
        self.look_at_the_clock();
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {
        self.look_at_the_clock();
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
