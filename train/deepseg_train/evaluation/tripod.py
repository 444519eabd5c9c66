"""The items of TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378, doi:10.1136/bmj-2023-078378), in short words of our own."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One item: its number there, its section, and what is to be reported."""

    number: str
    section: str
    asked: str


ITEMS = (
    Item("1", "Title", "Say that a prediction model is developed or evaluated, for whom, and what it predicts."),
    Item("2", "Abstract", "Give a structured summary (TRIPOD+AI for Abstracts)."),
    Item("3a", "Introduction", "Explain the clinical context and the rationale, with existing models."),
    Item("3b", "Introduction", "Describe the target population, the intended purpose and the intended users."),
    Item("3c", "Introduction", "Describe known health inequalities between groups of people."),
    Item("4", "Introduction", "State the objectives: development, evaluation, or both."),
    Item("5a", "Data", "Describe the sources of data for development and evaluation, why these, and how representative they are."),
    Item("5b", "Data", "Give the dates of data collection."),
    Item("6a", "Participants", "Describe the setting, with number and location of centres."),
    Item("6b", "Participants", "Describe the eligibility criteria."),
    Item("6c", "Participants", "Describe treatments received, where relevant."),
    Item("7", "Data preparation", "Describe preprocessing and quality checks, and whether they were alike for all groups."),
    Item("8a", "Outcome", "Define the outcome (here: the reference segmentation), how and when it was assessed, and why so."),
    Item("8b", "Outcome", "Tell who assessed it, with their qualifications."),
    Item("8c", "Outcome", "Tell whether the assessment was blinded."),
    Item("9a", "Predictors", "Describe how predictors (here: the images) were chosen."),
    Item("9b", "Predictors", "Define them, and how and when they were measured."),
    Item("9c", "Predictors", "Tell who measured them, where that takes judgement."),
    Item("10", "Sample size", "Explain how the sample size came about, for development and evaluation."),
    Item("11", "Missing data", "Describe how missing data were handled, and why any were left out."),
    Item("12a", "Analytical methods", "Describe how the data were used: partition for development and evaluation."),
    Item("12b", "Analytical methods", "Describe how predictors entered the model: transformation, standardisation."),
    Item("12c", "Analytical methods", "Specify the model, all steps of building it with tuning of hyperparameters, and internal validation."),
    Item("12d", "Analytical methods", "Describe how heterogeneity between clusters (sites, countries) was handled."),
    Item("12e", "Analytical methods", "Specify all measures and plots of performance, and why these."),
    Item("12f", "Analytical methods", "Describe any updating of the model, such as recalibration."),
    Item("12g", "Analytical methods", "Describe how predictions were computed in the evaluation."),
    Item("13", "Class imbalance", "Describe methods against class imbalance, why, and any recalibration after them."),
    Item("14", "Fairness", "Describe what was done to address fairness, and why."),
    Item("15", "Model output", "Specify the output (probabilities, classes) and how thresholds were chosen."),
    Item("16", "Training and evaluation", "Tell differences between the data of development and of evaluation."),
    Item("17", "Ethics", "Name the ethics committee, and consent or its waiver."),
    Item("18a", "Open science", "Funding, and the role of funders."),
    Item("18b", "Open science", "Conflicts of interest."),
    Item("18c", "Open science", "Where the protocol is, or that there is none."),
    Item("18d", "Open science", "Registration, or that there is none."),
    Item("18e", "Open science", "Availability of the data."),
    Item("18f", "Open science", "Availability of the code."),
    Item("19", "Patients and public", "How they were involved, or that they were not."),
    Item("20a", "Results: participants", "Describe the flow of participants, with numbers with and without the outcome."),
    Item("20b", "Results: participants", "Report their characteristics, overall and by source."),
    Item("20c", "Results: participants", "Compare the evaluation's data with the development's."),
    Item("21", "Results: development", "Give the number of participants and outcomes in each analysis."),
    Item("22", "Results: specification", "Give what is needed to make predictions for new people, and restrictions on access."),
    Item("23a", "Results: performance", "Report performance with intervals, also for key groups; consider plots."),
    Item("23b", "Results: performance", "Report heterogeneity between clusters, where examined."),
    Item("24", "Results: updating", "Report the results of any updating."),
    Item("25", "Discussion", "Interpret the main results, with fairness, against the objectives and other studies."),
    Item("26", "Discussion", "Discuss limitations: representativeness, sample size, overfitting, missing data."),
    Item("27a", "Usability", "Describe how poor or missing input is recognised and handled in use."),
    Item("27b", "Usability", "Tell whether users must interact with the model or its input, and what expertise it takes."),
    Item("27c", "Usability", "Discuss next steps, applicability and generalisability."),
)
