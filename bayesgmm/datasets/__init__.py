"""Six small real data sets with their sources: names, units and licences are in SOURCES.md."""

from collections.abc import Callable

from .record import DataSet, as_dataset, read_table

__all__ = [
    "DataSet",
    "acidity",
    "faithful",
    "galaxies",
    "iris",
    "load",
    "names",
    "penguins",
    "thyroid",
]

FACTS = "Published measurements, shipped as bare numbers; the publication states no licence."


def faithful() -> DataSet:
    """Load 272 eruptions of the Old Faithful geyser: ``eruptions`` and ``waiting``, both minutes.

    Returns:
        272 rows, 2 columns: how long an eruption lasted and the wait until the next one.

    Reference:
        W. Härdle (1991), Smoothing Techniques with Implementation in S, Springer.
        A. Azzalini and A. W. Bowman (1990), Applied Statistics 39, 357-365 (a longer version).
    """
    description = "Old Faithful geyser: eruption length (min) and waiting time to the next (min)."
    source = "Härdle (1991), Smoothing Techniques with Implementation in S; R datasets::faithful."
    return as_dataset("faithful", read_table("faithful"), [], description, source, FACTS)


def penguins(missing: bool = False) -> DataSet:
    """Load the Palmer penguins: bill length and depth and flipper length in mm, body mass in g.

    Args:
        missing: keep the 2 penguins of which nothing was measured, as rows of NaN. The sex of 9
            more is unknown: ``labels["sex"]`` is NaN there whatever ``missing`` is.

    Returns:
        342 rows (344 with ``missing``), 4 columns; ``target`` is the species, ``labels`` holds
        species, island and sex.

    Reference:
        K. B. Gorman, T. D. Williams and W. R. Fraser (2014), PLoS ONE 9(3), e90081.
        A. M. Horst, A. P. Hill and K. B. Gorman (2020), palmerpenguins, R package.
    """
    table = read_table("penguins")
    if not missing:
        measured = table.select_dtypes("number").notna().all(axis=1)
        table = table[measured].reset_index(drop=True)
    description = "Penguins of the Palmer Archipelago: bill and flipper (mm) and body mass (g)."
    source = "Gorman, Williams and Fraser (2014), PLoS ONE 9(3), e90081; R palmerpenguins 0.1.1."
    labels = ["species", "island", "sex"]
    return as_dataset("penguins", table, labels, description, source, "CC0 1.0")


def galaxies(mass_misprint: bool = False) -> DataSet:
    """Load the velocities of 82 galaxies in the Corona Borealis region: ``velocity``, 1000 km/s.

    Row 78 is 26.960. R's MASS prints 26.690 there, which its manual page calls a typing error;
    papers that used the MASS copy are reproduced with ``mass_misprint=True``.

    Args:
        mass_misprint: put the value that MASS prints, 26.690, in row 78.

    Returns:
        82 rows in rising order, 1 column.

    Reference:
        M. Postman, J. P. Huchra and M. J. Geller (1986), Astronomical Journal 92, 1238-1247.
        K. Roeder (1990), Journal of the American Statistical Association 85, 617-624.
    """
    table = read_table("galaxies")
    if mass_misprint:
        table.loc[77, "velocity"] = 26.690
    description = "Velocities (1000 km/s) of 82 galaxies in the Corona Borealis region."
    source = "Postman, Huchra and Geller (1986); Roeder (1990); R MASS::galaxies."
    return as_dataset("galaxies", table, [], description, source, FACTS)


def acidity() -> DataSet:
    """Load the acidity index of 155 lakes: ``acidity`` = log(ANC + 50), no unit.

    ANC is the acid neutralising capacity of the lake, so low values mark lakes at risk.

    Returns:
        155 rows, 1 column.

    Reference:
        S. L. Crawford, M. H. DeGroot, J. B. Kadane and M. J. Small (1992), Technometrics 34,
        441-453. S. L. Crawford (1994), J. American Statistical Association 89, 259-267.
    """
    description = "Acidity index log(ANC + 50) of 155 lakes in north-central Wisconsin."
    source = "Crawford et al. (1992); Crawford (1994); R mclust::acidity."
    return as_dataset("acidity", read_table("acidity"), [], description, source, FACTS)


def iris() -> DataSet:
    """Load Fisher's irises: length and width of sepal and petal, cm, of 3 species of 50 flowers.

    Rows 35 and 38 are as Fisher printed them; the copy of the UCI repository has errors there.

    Returns:
        150 rows, 4 columns; ``target`` is the species.

    Reference:
        R. A. Fisher (1936), Annals of Eugenics 7, 179-188. Measured by E. Anderson (1935).
    """
    description = "Sepal and petal length and width (cm) of 150 irises of three species."
    source = "Fisher (1936), Annals of Eugenics 7, 179-188; R datasets::iris."
    return as_dataset("iris", read_table("iris"), ["species"], description, source, FACTS)


def thyroid() -> DataSet:
    """Load five laboratory tests of the thyroid gland of 215 patients, no unit given.

    ``resin_uptake`` (T3 resin uptake, percent), ``thyroxine`` and ``triiodothyronine`` in serum, ``tsh``
    (thyroid-stimulating hormone) and ``tsh_response`` (its largest change after 200 micrograms of
    thyrotropin-releasing hormone).

    Returns:
        215 rows, 5 columns; ``target`` is the diagnosis: 150 normal, 35 hyper-, 30 hypothyroid.

    Reference:
        D. Coomans, I. Broeckaert, M. Jonckheer and D. L. Massart (1983), Methods of Information in
        Medicine 22, 93-101.
    """
    description = "Five laboratory tests of the thyroid gland of 215 patients."
    source = "Coomans et al. (1983), Methods of Information in Medicine 22, 93-101; UCI repository."
    table = read_table("thyroid")
    return as_dataset("thyroid", table, ["diagnosis"], description, source, "CC BY 4.0")


_LOADERS: dict[str, Callable[[], DataSet]] = {
    "acidity": acidity,
    "faithful": faithful,
    "galaxies": galaxies,
    "iris": iris,
    "penguins": penguins,
    "thyroid": thyroid,
}


def names() -> list[str]:
    """List the data sets that ``load`` knows.

    Returns:
        Their names, in alphabetical order.
    """
    return list(_LOADERS)


def load(name: str) -> DataSet:
    """Load a data set by its name, with the default choices of its function.

    Args:
        name: one of ``names()``.

    Returns:
        The data set.

    Raises:
        ValueError: no data set has this name.
    """
    if name not in _LOADERS:
        raise ValueError(
            f"Expected the name of a data set, one of {', '.join(names())}, got {name!r}. "
            "Pass one of these names."
        )
    return _LOADERS[name]()
