//! Places on the earth and the distances between them.
//!
//! Distances are binary floating point: a position is a measurement with an error, not money. The earth is approximated by a
//! sphere of its mean radius, which is off by at most half a percent. The last digits depend on the machine's sine and cosine; no
//! money is ever compared with them.

use headwater_schemas::Decimal;

/// The mean radius of the earth.
const RADIUS_KM: f64 = 6371.0088;
/// Kilometres in a statute mile.
pub(super) const KM_PER_MILE: f64 = 1.609_344;
const UNITS_PER_DEGREE: f64 = 1e9;

/// A place on the earth, in billionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Location {
    lat: i64,
    lon: i64,
}

impl Location {
    /// A place, if both coordinates are known. 0, 0 is not a place: devices without a position send it.
    pub(super) fn new(lat: Option<Decimal>, lon: Option<Decimal>) -> Option<Self> {
        let place = Self { lat: lat?.units().try_into().ok()?, lon: lon?.units().try_into().ok()? };
        Some(place).filter(|place| (place.lat, place.lon) != (0, 0))
    }

    /// Appends the place as 16 bytes.
    pub(super) fn pack(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.lat.to_le_bytes());
        bytes.extend(self.lon.to_le_bytes());
    }

    /// A place from its bytes.
    pub(super) fn packed(bytes: &[u8]) -> Option<Self> {
        let (lat, rest) = bytes.split_first_chunk()?;
        Some(Self { lat: i64::from_le_bytes(*lat), lon: i64::from_le_bytes(*rest.first_chunk()?) })
    }

    /// The latitude, in degrees.
    pub(super) fn lat(self) -> Decimal {
        Decimal::from_units(self.lat.into())
    }

    /// The longitude, in degrees.
    pub(super) fn lon(self) -> Decimal {
        Decimal::from_units(self.lon.into())
    }

    /// The distance along the surface, in kilometres (haversine).
    pub(super) fn km_to(self, there: Self) -> f64 {
        if self == there {
            return 0.0;
        }
        let radians = |units: i64| (units as f64 / UNITS_PER_DEGREE).to_radians();
        let (lat, other_lat) = (radians(self.lat), radians(there.lat));
        let (north, east) = ((other_lat - lat) / 2.0, (radians(there.lon) - radians(self.lon)) / 2.0);
        let chord = north.sin().powi(2) + lat.cos() * other_lat.cos() * east.sin().powi(2);
        2.0 * RADIUS_KM * chord.sqrt().min(1.0).asin()
    }

    /// The speed from here to `there` over `nanos` nanoseconds, in km/h. Infinite for two places at the same time.
    pub(super) fn kmh_to(self, there: Self, nanos: i64) -> f64 {
        let km = self.km_to(there);
        let hours = nanos.unsigned_abs() as f64 / 3.6e12;
        if km == 0.0 { 0.0 } else { km / hours }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: &str, lon: &str) -> Location {
        let units = |degrees: &str| degrees.parse::<Decimal>().expect("degrees").units().try_into().expect("few digits");
        Location { lat: units(lat), lon: units(lon) }
    }

    #[test]
    fn nowhere_is_no_place() {
        let place = |lat: &str, lon: &str| Location::new(lat.parse().ok(), lon.parse().ok());
        assert_eq!(place("0", "0"), None);
        assert_eq!(place("0.0", "-0"), None);
        assert_eq!(place("0", "0.000000001"), Some(at("0", "0.000000001")));
        assert_eq!(Location::new("1".parse().ok(), None), None);
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        let (london, new_york, sydney) = (at("51.5", "-0.125"), at("40.7", "-74"), at("-33.87", "151.21"));
        for (from, to, km) in [(london, new_york, 5572.0), (london, sydney, 16_993.0), (london, london, 0.0), (new_york, london, 5572.0)] {
            assert!((from.km_to(to) - km).abs() < km / 300.0 + 1e-9, "{from:?} {to:?} {}", from.km_to(to));
        }
        // One degree along the equator, also across the date line.
        assert!((at("0", "0").km_to(at("0", "1")) - 111.195).abs() < 0.001);
        assert!((at("0", "179.5").km_to(at("0", "-179.5")) - 111.195).abs() < 0.001);
        // Half the circumference is the greatest distance.
        assert!((at("90", "0").km_to(at("-90", "0")) - 20_015.115).abs() < 0.01);
    }

    #[test]
    fn two_places_at_one_time_are_infinitely_fast_and_one_place_is_not() {
        let hour = 3_600_000_000_000;
        let (here, there) = (at("0", "0"), at("0", "1"));
        assert!((here.kmh_to(there, hour) - 111.195).abs() < 0.001);
        assert!((here.kmh_to(there, 2 * hour) - 55.597).abs() < 0.001);
        assert!(here.kmh_to(there, 0).is_infinite());
        assert!(here.kmh_to(here, 0).abs() < f64::EPSILON);
    }
}
